"""The pipeline's models and losses in PyTorch: the same maps, the same terms, written as a PyTorch user would for speed.

Equal to ours (the bench compares every loss term of the first steps): parameters, shapes, terms, weights of terms, Adam.
Left to PyTorch's advantage: rows are looked up by one index (ours goes through the batch's distinct items); the embedding "table"
is the rows of the batch, so that gathering and scattering rows of the whole table is on our side alone; heads are split by views,
queries of codes are broadcast and not repeated; Adam is fused; the norm of the gradient is not computed.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

HEADS = 4
LEVELS = 3
COMMITMENT = 0.25
SHARPNESS = 8.0
WEIGHTS = {"alignment": 0.01, "reconstruction": 1.0, "autoencoder": 1.0}
PADDING = -1e9


class Weights(nn.Module):
    """Parameters of one role by our names. Matrices are stored [to, from], as F.linear wants them."""

    def __init__(self, tensors):
        super().__init__()
        self.names = {}
        for name, value in tensors.items():
            matrix = name.endswith("/weight")
            key = name.replace("/", "__")
            self.names[name] = key
            self.register_parameter(key, nn.Parameter(value.t().contiguous() if matrix else value.clone()))

    def __getitem__(self, name):
        return getattr(self, self.names[name])

    def has(self, name):
        return name in self.names

    def linear(self, name, x):
        return F.linear(x, self[name + "/weight"], self[name + "/bias"] if self.has(name + "/bias") else None)

    def mlp(self, name, layers, x):
        for i in range(layers):
            x = self.linear(f"{name}/{i}", x)
            if i < layers - 1:
                x = F.relu(x)
        return x


def unit(x):
    return x * torch.rsqrt((x * x).sum(-1, keepdim=True) + 1e-12)


def split(x):
    """[request, row, width] -> [request, head, row, width / heads]"""
    return x.view(x.shape[0], x.shape[1], HEADS, -1).transpose(1, 2)


def attend(q, k, v, bias, history, sdpa):
    """q [request or 1, query, width], k and v [request, behaviour, width], bias [request, query or 1, behaviour]"""
    q, k, v = split(q), split(k), split(v)
    if sdpa:
        q = q.expand(k.shape[0], -1, -1, -1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.unsqueeze(1))
    else:
        logits = q @ k.transpose(-1, -2) * (1 / math.sqrt(q.shape[-1])) + bias.unsqueeze(1)
        out = torch.softmax(logits, -1) @ v
    return out.transpose(1, 2).flatten(2) * history


def click_loss(logits, batch):
    weight = batch["a/weight"] * batch["a/candidate_mask"]
    total = F.binary_cross_entropy_with_logits(logits, batch["a/label"], weight, reduction="sum")
    return total / weight.sum().clamp(min=1e-12)


def inputs(rows, batch):
    return {
        "user": F.embedding(batch["a/user_slots"][:, 0], rows),
        "sequence": F.embedding(batch["a/behaviours"], rows),
        "item": F.embedding(batch["a/candidates"], rows),
        "mask": batch["a/behaviour_mask"],
        "padding": ((1 - batch["a/behaviour_mask"]) * PADDING).unsqueeze(1),
        "history": batch["a/behaviour_mask"].sum(1).clamp(max=1).view(-1, 1, 1),
    }


def towers(w, prefix, x):
    mask = x["mask"]
    pooled = torch.bmm((mask / mask.sum(1, keepdim=True).clamp(min=1)).unsqueeze(1), x["sequence"]).squeeze(1)
    user = unit(w.mlp(prefix + "user", 2, torch.cat([x["user"], pooled], 1)))
    item = unit(w.mlp(prefix + "item", 2, x["item"]))
    return (user.unsqueeze(1) * item).sum(-1) * w[prefix + "log_scale"].exp() + w[prefix + "bias"]


def rank(w, x, sdpa):
    """The teacher: logits and vector."""
    seq, cand = x["sequence"], x["item"]
    own = [w.linear(f"self_attention/{part}", seq) for part in ("query", "key", "value")]
    h = w.linear("residual", seq) + attend(*own, x["padding"], x["history"], sdpa)
    similarity = w["log_similarity"].exp()
    bias = unit(cand) @ unit(seq).transpose(1, 2) * similarity + x["padding"]
    vector = attend(
        w.linear("target_attention/query", cand),
        w.linear("target_attention/key", h),
        w.linear("target_attention/value", h),
        bias,
        x["history"],
        sdpa,
    )
    count = F.softplus(torch.logsumexp(bias, 2) - similarity)
    logits = towers(w, "towers/", x) + head(w, "", vector, cand) + count * (w["soft_count"] * 10)
    return logits, vector


def head(w, prefix, vector, cand):
    projected = unit(w.mlp(prefix + "projection", 2, cand))
    cosine = (unit(w.linear(prefix + "head", vector)) * projected).sum(-1)
    return cosine * w[prefix + "log_scale"].exp() + w[prefix + "bias"]


def squared_distances(v, x):
    """[..., vector, width] x [..., code, width] -> [..., vector, code]"""
    return (v * v).sum(-1, keepdim=True) - 2 * (v @ x.transpose(-1, -2)) + (x * x).sum(-1).unsqueeze(-2)


def log_softness(distances, mask):
    """[request, candidate, code]: scaled by the mean distance of a request's real candidates."""
    sums = (distances.detach() * mask.unsqueeze(2)).sum((1, 2))
    mean = sums / (mask.sum(1).clamp(min=1) * distances.shape[2])
    scale = (SHARPNESS / (mean + 1e-12)).view(-1, 1, 1)
    return F.log_softmax(-distances * scale, -1)


def tarq(w, x, teacher_vector, candidate_mask, sdpa):
    """The student: logits and its own terms; without a teacher's vector the logits alone."""
    seq, cand = x["sequence"], x["item"]
    requests, candidates, width = cand.shape
    p = "tarq/"
    codes = [w[f"{p}codes/{level}"] for level in range(LEVELS)]
    flat = cand.reshape(-1, width)
    direct = unit(flat)
    target = (direct * math.sqrt(width)).detach()
    latent = w.mlp(p + "encoder", 2, target)
    decode = lambda z: w.linear(p + "decoder/0", z)

    chosen, indices, sums = [], [], []
    with torch.no_grad():
        residual = latent
    for level in range(LEVELS):
        with torch.no_grad():
            index = squared_distances(residual, codes[level]).argmin(1)
        vector = F.embedding(index, codes[level])
        sums.append(vector if level == 0 else sums[-1] + vector)
        with torch.no_grad():
            residual = latent - sums[-1]
        chosen.append(vector)
        indices.append(index)

    keys = w.linear(p + "key", seq)
    values = [w.linear(f"{p}value/{level}", seq) for level in range(LEVELS)]
    units = unit(seq).transpose(1, 2)
    similarity = w[p + "log_similarity"].exp()

    def attend_codes(level, queries, similar):
        bias = similar @ units * similarity + x["padding"]
        out = attend(queries, keys, values[level], bias, x["history"], sdpa)
        return out * w[p + "gates"][level]

    # Personal codebooks of every request; every code is mapped and decoded once.
    queries = [w.linear(p + "query", c) for c in codes]
    decoded = [decode(c) / math.sqrt(width) for c in codes]
    personal = [attend_codes(l, queries[l].unsqueeze(0), decoded[l].unsqueeze(0)) for l in range(LEVELS)]

    def look_up(level):
        index = indices[level].view(requests, candidates, 1).expand(-1, -1, personal[level].shape[-1])
        return torch.gather(personal[level], 1, index)

    # Scores: the first level's similarity query is straight-through, so that its codes attend per candidate; others are looked up.
    similar = F.embedding(indices[0], decoded[0]) + (direct - direct.detach())
    first = F.embedding(indices[0], queries[0])
    student = attend_codes(0, first.view(requests, candidates, -1), similar.view(requests, candidates, -1))
    for level in range(1, LEVELS):
        student = student + look_up(level)
    logits = head(w, p, student, cand)
    if teacher_vector is None:
        return logits, {}

    mask = candidate_mask
    counted = mask.sum().clamp(min=1)
    flat_mask = mask.view(-1)
    mean = lambda squares: ((squares * squares).sum(1) * flat_mask).sum() / counted

    # Autoencoder.
    autoencoder = mean(target - decode(latent + (sums[-1] - latent).detach()))
    for level in range(LEVELS):
        left = latent if level == 0 else latent - sums[level - 1].detach()
        autoencoder = autoencoder + mean(left.detach() - chosen[level])
        autoencoder = autoencoder + COMMITMENT * mean(left - chosen[level].detach())

    teacher_vector = teacher_vector.detach()
    distances = (student - teacher_vector).square().sum(2)
    reconstruction = 0.5 * (distances * mask).sum() / counted

    # Alignment: personal codebooks of every request against the raw ones, which are constants.
    alignment = 0
    raw_left = latent.detach()
    left = teacher_vector
    for level in range(LEVELS):
        raw = codes[level].detach()
        log_p = log_softness(squared_distances(raw_left, raw).view(requests, candidates, -1), mask)
        log_q = log_softness(squared_distances(left, personal[level]), mask)
        ratio = (log_p - log_q).clamp(-18, 18)
        divergence = ((log_p.exp() - log_q.exp()) * ratio).sum(2)
        alignment = alignment + (divergence * mask).sum() / counted
        raw_left = raw_left - F.embedding(indices[level], raw)
        left = left - look_up(level)
    return logits, {"autoencoder": autoencoder, "reconstruction": reconstruction, "alignment": alignment}


def kernel(w, x):
    return unit(x) * (w["attention/log_similarity"] / 2).exp()


def tangent(w, x):
    """The term of the student with one code of many and a tangent."""
    p = "attention/"
    phi, exact = kernel(w, x["sequence"]), kernel(w, x["item"])
    with torch.no_grad():
        codes = w[p + "codes/0"]
        flat = exact.flatten(0, 1)
        code = F.embedding(squared_distances(flat, codes).argmin(1), codes).view_as(exact)
    query = code + (exact - exact.detach())
    logits = query @ phi.transpose(1, 2) + 10 * w[p + "recency"] + x["padding"]
    weights = torch.softmax(logits, -1)
    vector = w.linear(p + "head", w.linear(p + "value", weights @ x["sequence"]))
    excess = torch.logsumexp(logits, 2) - w[p + "log_similarity"].exp()
    direction = unit(vector) * w[p + "log_scale"].exp() * x["history"]
    projection = unit(w.mlp(p + "projection", 2, x["item"]))
    offset = ((exact - query) * (weights @ phi)).sum(-1)
    count = F.relu(F.softplus(excess) + torch.sigmoid(excess) * offset)
    return (direction * projection).sum(-1) + w[p + "bias"] + count * (w[p + "count"] * 10)


@torch.no_grad()
def refit_codes(w, table, slots, weights, iterations):
    """Lloyd's iterations of the codes, from where they are, on items given by their slots; weights are float64."""
    codes = w["attention/codes/0"]
    vectors = kernel(w, F.embedding(slots, table).flatten(1))
    for _ in range(iterations):
        distances = squared_distances(vectors, codes)
        nearest = distances.argmin(1)
        counts = torch.zeros(len(codes), dtype=torch.float64).index_add_(0, nearest, weights)
        sums = torch.zeros(codes.shape, dtype=torch.float64).index_add_(0, nearest, vectors * weights.unsqueeze(1))
        empty = (counts == 0).nonzero().squeeze(1)
        farthest = distances.gather(1, nearest.unsqueeze(1)).squeeze(1).topk(len(empty)).indices
        moved = (sums / counts.unsqueeze(1)).float()
        moved[empty] = vectors[farthest]
        codes.copy_(moved)


def loss_terms(name, models, rows, batch, sdpa):
    """The loss of a step and its terms by our names."""
    terms = {}
    if name == "two_tower":
        terms["click_a"] = click_loss(towers(models["model"], "towers/", inputs(rows["model"], batch)), batch)
    elif name == "teacher":
        logits, _ = rank(models["teacher"], inputs(rows["teacher"], batch), sdpa)
        terms["click_a"] = click_loss(logits, batch)
    else:
        taught, vector = rank(models["teacher"], inputs(rows["teacher"], batch), sdpa)
        x = inputs(rows["model"], batch)
        logits, own = tarq(models["model"], x, vector, batch["a/candidate_mask"], sdpa)
        terms["click_a"] = click_loss(logits + towers(models["model"], "towers/", x), batch)
        terms.update({f"{term}_a": value for term, value in own.items()})
        terms["teacher_click_a"] = click_loss(taught, batch)
    loss = sum(value * WEIGHTS.get(term.removesuffix("_a"), 1.0) for term, value in terms.items())
    return loss, terms
