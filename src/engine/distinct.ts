/**
 * A list of distinct whole numbers, in order of first appearance: the rows or items of a batch, rows of several workers, the steps after
 * which rows hold; filled once a step. A hash with open addressing, at most half full; its memory goes by the longest list and not by how
 * large a number may be. As fast as a word for every number that may come: .5 ms against .6 for 20,000 look-ups.
 */
export class Distinct {
  private readonly members: number[] = [];
  private slots = new Int32Array(firstSize).fill(free);
  private places = new Int32Array(firstSize); // [slot] of the member there

  get count(): number {
    return this.members.length;
  }

  /** The place of a number in the list, to which it is added where it is new. */
  place(member: number): number {
    const slot = this.slotOf(member);
    if (this.slots[slot] === member) return this.places[slot]!;
    const place = this.members.push(member) - 1;
    this.slots[slot] = member;
    this.places[slot] = place;
    if (2 * this.members.length > this.slots.length) this.grow();
    return place;
  }

  list(): readonly number[] {
    return this.members;
  }

  clear(): void {
    this.slots.fill(free);
    this.members.length = 0;
  }

  /** Where a number stands, or the free slot where it belongs. */
  private slotOf(member: number): number {
    const { slots } = this;
    const last = slots.length - 1;
    let slot = (Math.imul(member, 0x9e3779b1) >>> 7) & last; // the lowest bits of a product know only those of its factors
    while (slots[slot] !== member && slots[slot] !== free) slot = (slot + 1) & last;
    return slot;
  }

  private grow(): void {
    this.slots = new Int32Array(2 * this.slots.length).fill(free);
    this.places = new Int32Array(this.slots.length);
    this.members.forEach((member, place) => {
      const slot = this.slotOf(member);
      this.slots[slot] = member;
      this.places[slot] = place;
    });
  }
}

const firstSize = 2 ** 12;
const free = -1;
