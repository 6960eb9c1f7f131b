"""The PyTorch side of scripts/bench/train: `torch_train.py <task>` (trainInputs.mjs) trains and prints figures as JSON.

Written as one would who knows PyTorch: pyarrow and NumPy read and encode whole columns, lists are padded once, a batch is a few
gathers by a tensor of indices; the embedding table is dense with a dense fused Adam, as our rows drift; no Python loop over rows.
Left to its advantage: the order of the requests is read and not drawn, all samples are kept in memory, vocabularies of whole numbers
are looked up as numbers, and nothing is checkpointed or hashed.
"""
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F

from safetensors_file import read_safetensors
from torch_models import PADDING, WEIGHTS, Weights, click_loss, rank, refit_codes, tangent, tarq, towers

task = json.loads(Path(sys.argv[1]).read_text())
torch.set_num_threads(task["threads"])
torch.set_num_interop_threads(1)
RUN = Path(task["run"])
BLOCK = task["block"]
OUT_OF_VOCABULARY = 0


# -------------------------------------------------------------------------------------------------------------- reading


def column(table, name):
    return table[name].to_numpy()


def places(sorted_ids, ids):
    """Place of each id in an ascending list that holds it."""
    return np.searchsorted(sorted_ids, ids)


class Rows:
    """Embedding rows of values, by feature."""

    def __init__(self):
        self.features = {f["name"]: f for f in json.loads((RUN / "samples/transform.json").read_text())["features"]}
        table = pq.read_table(RUN / "samples/vocabulary")
        names = column(table, "feature")
        values = column(table, "value").astype(np.int64)  # every feature of the bench is a whole number
        rows = column(table, "row").astype(np.int64)
        self.known = {}
        for name in self.features:
            own = names == name
            order = np.argsort(values[own])
            self.known[name] = values[own][order], rows[own][order]

    def of(self, name, ids):
        values, rows = self.known[name]
        at = np.minimum(np.searchsorted(values, ids), len(values) - 1)
        return np.where(values[at] == ids, rows[at], self.features[name]["first_row"] + OUT_OF_VOCABULARY)


class Samples:
    """Requests of some splits as padded tensors, [request, candidate]."""

    def __init__(self, split, rows, scenes, items, users, sequences):
        columns = ["request_id", "user_id", "n_behaviours", "item_ids", "label", "weight"]
        table = pq.read_table(RUN / "samples/samples_a", columns=columns, filters=[("split", "=", split)]).combine_chunks()
        lists = table["item_ids"].combine_chunks()
        offsets = lists.offsets.to_numpy().astype(np.int64)
        lengths = np.diff(offsets)
        self.requests = len(lengths)
        mask = np.arange(BLOCK["candidates"]) < lengths[:, None]

        def padded(values, dtype):
            out = np.zeros(mask.shape, dtype)
            out[mask] = values
            return torch.from_numpy(out)

        values = lambda name: table[name].combine_chunks().flatten().to_numpy()
        self.candidates = padded(places(items.ids, values("item_ids")), np.int64)
        self.label = padded(values("label"), np.float32)
        self.weight = padded(values("weight"), np.float32)
        self.mask = torch.from_numpy(mask.astype(np.float32))
        user = places(users.ids, column(table, "user_id"))
        self.user = users.rows[user]
        request_id = column(table, "request_id")
        self.context = torch.from_numpy(scenes.rows[places(scenes.ids, request_id)])
        self.ends = torch.from_numpy(sequences.offsets[user] + column(table, "n_behaviours"))
        self.lengths = torch.from_numpy(np.minimum(column(table, "n_behaviours"), sequences.longest))
        self.sequences = sequences

    def batch(self, index):
        """Arrays of these requests by the names that losses read, and what models embed."""
        ages = torch.arange(self.sequences.longest)
        at = (self.ends[index].unsqueeze(1) - 1 - ages).clamp(min=0)
        behaviour_mask = (ages < self.lengths[index].unsqueeze(1)).float()
        return {
            "a/label": self.label[index],
            "a/weight": self.weight[index],
            "a/candidate_mask": self.mask[index],
            "a/behaviour_mask": behaviour_mask,
            "user": self.user[index],
            "context": self.context[index],
            "candidates": self.candidates[index],
            "behaviours": self.sequences.items[at],
        }


class Entities:
    pass


def read_data():
    rows = Rows()
    users, items, scenes, sequences = Entities(), Entities(), Entities(), Entities()
    table = pq.read_table(RUN / "logs/users", columns=["user_id"])
    users.ids = np.sort(column(table, "user_id"))
    users.rows = torch.from_numpy(rows.of("user", users.ids))
    table = pq.read_table(RUN / "logs/items", columns=["item_id", "category_id", "author_id"])
    order = np.argsort(column(table, "item_id"))
    items.ids = column(table, "item_id")[order]
    names = {"item": "item_id", "category": "category_id", "author": "author_id"}
    slots = [rows.of(name, column(table, source)[order]) for name, source in names.items()]
    items.slots = torch.from_numpy(np.stack(slots, 1))
    table = pq.read_table(RUN / "logs/requests", columns=["request_id", "scene"])
    order = np.argsort(column(table, "request_id"))
    scenes.ids = column(table, "request_id")[order]
    scenes.rows = rows.of("scene", column(table, "scene")[order])
    table = pq.read_table(RUN / "samples/sequences", columns=["user_id", "item_id"])  # sorted by user and time
    sequences.offsets = np.searchsorted(column(table, "user_id"), users.ids)
    sequences.items = torch.from_numpy(places(items.ids, column(table, "item_id")))
    sequences.longest = json.loads((RUN / "samples/transform.json").read_text())["sequence"]["max_length"]
    parts = [Samples(split, rows, scenes, items, users, sequences) for split in ("train", "validation")]
    return items, *parts


# -------------------------------------------------------------------------------------------------------------- training


class Model:
    """A role: embedding table and dense weights."""

    def __init__(self, path, items):
        tensors = read_safetensors(path)
        self.table = torch.nn.Parameter(tensors.pop("embeddings"))
        self.weights = Weights(tensors)
        self.slots = items.slots

    def inputs(self, batch):
        embed = lambda slots: F.embedding(slots, self.table).flatten(-2)
        mask = batch["a/behaviour_mask"]
        return {
            "user": torch.cat([F.embedding(batch["user"], self.table), F.embedding(batch["context"], self.table)], 1),
            "sequence": embed(self.slots[batch["behaviours"]]),
            "item": embed(self.slots[batch["candidates"]]),
            "mask": mask,
            "padding": ((1 - mask) * PADDING).unsqueeze(1),
            "history": mask.sum(1).clamp(max=1).view(-1, 1, 1),
        }


def score(model, batch):
    x = model.inputs(batch)
    logits = towers(model.weights, "towers/", x)
    if task["model"] == "tangent":
        logits = logits + tangent(model.weights, x)
    if task["model"] == "tarq":
        logits = logits + tarq(model.weights, x, None, None, False)[0]
    return logits


def loss_of(model, teacher, batch):
    if task["model"] != "tarq":
        return click_loss(score(model, batch), batch)
    with torch.no_grad():
        _, vector = rank(teacher.weights, teacher.inputs(batch), False)
    x = model.inputs(batch)
    logits, terms = tarq(model.weights, x, vector, batch["a/candidate_mask"], False)
    loss = click_loss(logits + towers(model.weights, "towers/", x), batch)
    return loss + sum(value * WEIGHTS[term] for term, value in terms.items())


def auc(scores, labels):
    """Area under the curve, ties counted half."""
    values, place = np.unique(scores, return_inverse=True)
    positives = np.bincount(place[labels == 1], minlength=len(values))
    negatives = np.bincount(place[labels == 0], minlength=len(values))
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / (positives.sum() * negatives.sum()))


@torch.no_grad()
def validate(model, samples):
    scores = []
    for index in torch.arange(samples.requests).split(BLOCK["requests"]):
        scores.append(score(model, samples.batch(index)))
    real = samples.mask.bool()
    return auc(torch.cat(scores)[real].numpy(), samples.label[real].numpy())


def train(items, samples, validation):
    model = Model(task["weights"], items)
    teacher = Model(task["teacher"], items) if "teacher" in task else None
    parameters = [model.table, *model.weights.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=task["learning_rate"], fused=True)
    order = torch.from_numpy(np.fromfile(task["order"], np.int32).astype(np.int64)).view(task["epochs"], -1)
    seen = torch.unique(samples.candidates[samples.mask.bool()])
    distinct, counts = torch.unique(items.slots[seen], dim=0, return_counts=True)
    refit = lambda: refit_codes(model.weights, model.table, distinct, counts.double().sqrt(), task["refit"]["iterations"])
    losses, aucs, best = [], [], None
    for epoch in range(task["epochs"]):
        for index in order[epoch].split(BLOCK["requests"]):
            loss = loss_of(model, teacher, samples.batch(index))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            if task["model"] == "tangent" and len(losses) % task["refit"]["every"] == 0:
                refit()
        if task["model"] == "tangent":
            refit()
        aucs.append(validate(model, validation))
        if aucs[-1] == max(aucs):
            best = {"embeddings": model.table.detach().clone(), **{k: v.clone() for k, v in model.weights.state_dict().items()}}
    return best, torch.stack(losses).tolist(), aucs


started = time.perf_counter()
items, samples, validation = read_data()
read = time.perf_counter()
best, losses, aucs = train(items, samples, validation)
torch.save(best, Path(task["work"]) / f"{task['model']}-torch.pt")
ended = time.perf_counter()
usage = resource.getrusage(resource.RUSAGE_SELF)
print(
    json.dumps(
        {
            "read_ms": (read - started) * 1000,
            "train_ms": (ended - read) * 1000,
            "cpu_ms": (usage.ru_utime + usage.ru_stime) * 1000,
            "peak_mb": usage.ru_maxrss / 1024,
            "losses": losses,
            "auc": aucs,
        }
    )
)
