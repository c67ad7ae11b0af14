"""A model repository of Triton Inference Server: the whole model file and what is in it."""

from __future__ import annotations

from assay.deploy.facts import Facts, Tensor

TYPES = {
    "tensor(double)": "TYPE_FP64",
    "tensor(int64)": "TYPE_INT64",
    "tensor(string)": "TYPE_STRING",
}
BATCH = 1024
"""Rows that Triton may put into one call."""


def config(facts: Facts) -> str:
    """Return `config.pbtxt` for the inputs and outputs that the model file has.

    Source: triton-inference-server/common, `model_config.proto`. A dimension of rows is not named
    where `max_batch_size` is set; a tensor of nothing but rows has the dimension 1, reshaped away.
    """
    return "\n".join(
        [
            f"# {facts.header}",
            f'name: "{facts.app}"',
            'backend: "onnxruntime"',
            f"max_batch_size: {BATCH}",
            *(f"input [{_tensor(tensor)}]" for tensor in facts.inputs),
            *(f"output [{_tensor(tensor)}]" for tensor in facts.outputs),
            f"instance_group [{{ count: {facts.workers}, kind: KIND_CPU }}]",
            "dynamic_batching { max_queue_delay_microseconds: 100 }",
            'parameters { key: "intra_op_thread_count" value: { string_value: "1" } }',
            "",
        ]
    )


def _tensor(tensor: Tensor) -> str:
    dims = [str(size) for size in tensor.shape[1:]]
    shape = f"dims: [{', '.join(dims)}]" if dims else "dims: [1], reshape: { shape: [] }"
    return f'{{ name: "{_quoted(tensor.name)}", data_type: {TYPES[tensor.type]}, {shape} }}'


def _quoted(text: str) -> str:
    """Escape text as the text format of protocol buffers reads it."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else f"\\{ord(c):03o}" for c in plain)
