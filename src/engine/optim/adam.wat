;; Adam's loops over rows of numbers, four numbers at a time, in single precision and in the order of the formulas. Arrays are given by
;; their byte addresses, rows by the index of their first number. A row's last four may reach into what follows it, which `select` puts
;; back as it was.
(module
  (import "loop" "memory" (memory 1))

  ;; With gradient g times factor, whose rows follow one another:
  ;;   m <- b1 m + c1 g        v <- b2 v + (c2 g) g        p <- kept p - (step m) / (root sqrt(v) + epsilon)
  (func (export "update")
    (param $p i32) (param $m i32) (param $v i32) (param $g i32) (param $starts i32) (param $rows i32) (param $width i32)
    (param $b1 f32) (param $c1 f32) (param $b2 f32) (param $c2 f32)
    (param $step f32) (param $root f32) (param $epsilon f32) (param $kept f32) (param $factor f32)
    (local $at i32) (local $left i32) (local $select v128)
    (local $oldP v128) (local $oldM v128) (local $oldV v128) (local $gradient v128) (local $newM v128) (local $newV v128)
    (loop $row
      (local.set $at (i32.shl (i32.load (local.get $starts)) (i32.const 2)))
      (local.set $left (local.get $width))
      (loop $next
        (local.set $select (i32x4.lt_s (v128.const i32x4 0 1 2 3) (i32x4.splat (local.get $left))))
        (local.set $oldP (v128.load (i32.add (local.get $p) (local.get $at))))
        (local.set $oldM (v128.load (i32.add (local.get $m) (local.get $at))))
        (local.set $oldV (v128.load (i32.add (local.get $v) (local.get $at))))
        (local.set $gradient (f32x4.mul (v128.load (local.get $g)) (f32x4.splat (local.get $factor))))
        (local.set $newM
          (f32x4.add
            (f32x4.mul (f32x4.splat (local.get $b1)) (local.get $oldM))
            (f32x4.mul (f32x4.splat (local.get $c1)) (local.get $gradient))))
        (local.set $newV
          (f32x4.add
            (f32x4.mul (f32x4.splat (local.get $b2)) (local.get $oldV))
            (f32x4.mul (f32x4.mul (f32x4.splat (local.get $c2)) (local.get $gradient)) (local.get $gradient))))
        (v128.store
          (i32.add (local.get $m) (local.get $at))
          (v128.bitselect (local.get $newM) (local.get $oldM) (local.get $select)))
        (v128.store
          (i32.add (local.get $v) (local.get $at))
          (v128.bitselect (local.get $newV) (local.get $oldV) (local.get $select)))
        (v128.store
          (i32.add (local.get $p) (local.get $at))
          (v128.bitselect
            (f32x4.sub
              (f32x4.mul (f32x4.splat (local.get $kept)) (local.get $oldP))
              (f32x4.div
                (f32x4.mul (f32x4.splat (local.get $step)) (local.get $newM))
                (f32x4.add
                  (f32x4.mul (f32x4.splat (local.get $root)) (f32x4.sqrt (local.get $newV)))
                  (f32x4.splat (local.get $epsilon)))))
            (local.get $oldP)
            (local.get $select)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $g (i32.add (local.get $g) (i32.const 16)))
        (local.set $left (i32.sub (local.get $left) (i32.const 4)))
        (br_if $next (i32.gt_s (local.get $left) (i32.const 0))))
      (local.set $g (i32.add (local.get $g) (i32.shl (local.get $left) (i32.const 2)))) ;; back to the row's end: $left is 0 to -3
      (local.set $starts (i32.add (local.get $starts) (i32.const 4)))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
      (br_if $row (local.get $rows))))

  ;; Without gradients, over the steps that a row has missed, of which $missed tells kept, moved, keptM and keptV, row after row:
  ;;   p <- kept p - (moved m) / (sqrt(v) + epsilon)        m <- keptM m        v <- keptV v
  (func (export "drift")
    (param $p i32) (param $m i32) (param $v i32) (param $missed i32) (param $starts i32) (param $rows i32) (param $width i32)
    (param $epsilon f32)
    (local $at i32) (local $left i32) (local $select v128) (local $oldP v128) (local $oldM v128) (local $oldV v128)
    (local $kept v128) (local $moved v128) (local $keptM v128) (local $keptV v128)
    (loop $row
      (local.set $kept (v128.load32_splat (local.get $missed)))
      (local.set $moved (v128.load32_splat offset=4 (local.get $missed)))
      (local.set $keptM (v128.load32_splat offset=8 (local.get $missed)))
      (local.set $keptV (v128.load32_splat offset=12 (local.get $missed)))
      (local.set $at (i32.shl (i32.load (local.get $starts)) (i32.const 2)))
      (local.set $left (local.get $width))
      (loop $next
        (local.set $select (i32x4.lt_s (v128.const i32x4 0 1 2 3) (i32x4.splat (local.get $left))))
        (local.set $oldP (v128.load (i32.add (local.get $p) (local.get $at))))
        (local.set $oldM (v128.load (i32.add (local.get $m) (local.get $at))))
        (local.set $oldV (v128.load (i32.add (local.get $v) (local.get $at))))
        (v128.store
          (i32.add (local.get $p) (local.get $at))
          (v128.bitselect
            (f32x4.sub
              (f32x4.mul (local.get $kept) (local.get $oldP))
              (f32x4.div
                (f32x4.mul (local.get $moved) (local.get $oldM))
                (f32x4.add (f32x4.sqrt (local.get $oldV)) (f32x4.splat (local.get $epsilon)))))
            (local.get $oldP)
            (local.get $select)))
        (v128.store
          (i32.add (local.get $m) (local.get $at))
          (v128.bitselect (f32x4.mul (local.get $keptM) (local.get $oldM)) (local.get $oldM) (local.get $select)))
        (v128.store
          (i32.add (local.get $v) (local.get $at))
          (v128.bitselect (f32x4.mul (local.get $keptV) (local.get $oldV)) (local.get $oldV) (local.get $select)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $left (i32.sub (local.get $left) (i32.const 4)))
        (br_if $next (i32.gt_s (local.get $left) (i32.const 0))))
      (local.set $missed (i32.add (local.get $missed) (i32.const 16)))
      (local.set $starts (i32.add (local.get $starts) (i32.const 4)))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
      (br_if $row (local.get $rows)))))
