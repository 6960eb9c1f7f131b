"""Tensors of a safetensors file by name."""
import json
import struct

import torch


def read_safetensors(path):
    types = {"F32": torch.float32, "I32": torch.int32}
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        count = (end - begin) // 4
        values = torch.frombuffer(data, dtype=types[entry["dtype"]], count=count, offset=begin) if count else torch.empty(0)
        tensors[name] = values.clone().reshape(entry["shape"])
    return tensors
