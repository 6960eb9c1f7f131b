"""The PyTorch side of scripts/bench/step: reads commands, one JSON object a line, and answers each with one.

  {"model": "tarq", "file": "…/tarq.safetensors"}            loads batch and first values
  {"model": "tarq", "form": "compile", "steps": 5}           takes steps: processor time of each, terms of the last
Forms: eager, sdpa (F.scaled_dot_product_attention), compile (torch.compile; Inductor's default mode). One thread.
"""
import json
import sys
import time

import torch

from safetensors_file import read_safetensors
from torch_models import Weights, loss_terms

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
RATE = 1e-3


class Step:
    """One model in one form, with parameters and an optimiser of its own."""

    def __init__(self, name, tensors, form):
        batch = {k.removeprefix("batch:"): v for k, v in tensors.items() if k.startswith("batch:")}
        roles = {k.split(":")[0] for k in tensors} - {"batch"}
        of = lambda role: {k.removeprefix(role + ":"): v for k, v in tensors.items() if k.startswith(role + ":")}
        self.models = {}
        self.rows = {}
        for role in sorted(roles):
            weights = of(role)
            self.rows[role] = torch.nn.Parameter(weights.pop("rows").clone())
            self.models[role] = Weights(weights)
        parameters = [p for model in self.models.values() for p in model.parameters()]
        self.optimizer = torch.optim.Adam([*parameters, *self.rows.values()], lr=RATE, fused=True)
        sdpa = form == "sdpa"
        function = lambda: loss_terms(name, self.models, self.rows, batch, sdpa)
        self.function = torch.compile(function) if form == "compile" else function

    def take(self):
        loss, terms = self.function()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss, terms


files = {}
steps = {}
print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    name = command["model"]
    if "file" in command:
        files[name] = read_safetensors(command["file"])
        print("{}", flush=True)
        continue
    key = (name, command["form"])
    if key not in steps:
        steps[key] = Step(name, files[name], command["form"])
    step = steps[key]
    times = []
    for _ in range(command["steps"]):
        start = time.process_time()
        loss, terms = step.take()
        value = loss.item()
        times.append((time.process_time() - start) * 1000)
    values = {term: value.item() for term, value in terms.items()}
    print(json.dumps({"ms": times, "loss": value, "terms": values}), flush=True)
