"""Bytes of ONNX files: written packed, and cut, as the onnx library reads them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, NodeProto, helper

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.engine.trees import packed_node
from assay.tasks.tabular.engine.wire import cut, fields, packed, varint


@given(st.lists(st.integers(0, 2**49 - 1)))
def test_packed_numbers_are_varints_end_to_end(numbers: list[int]) -> None:
    assert packed(np.array(numbers, dtype=np.int64)) == b"".join(map(varint, numbers))


@given(st.lists(st.integers(0, 2**40), max_size=50))
def test_a_packed_node_is_the_same_node(numbers: list[int]) -> None:
    node = helper.make_node("Made", ["x"], ["y"], name="n", domain="d", alpha=0.5)
    node.attribute.append(AttributeProto(name="ids", type=AttributeProto.INTS, ints=numbers))
    again = NodeProto.FromString(packed_node(node))
    assert sorted(map(str, again.attribute)) == sorted(map(str, node.attribute))
    del again.attribute[:], node.attribute[:]
    assert again == node


def three_sections() -> bytes:
    graph = Graph()
    answer = graph.add("Sigmoid", graph.input("assay:m", 2))
    graph.section = "encode"
    graph.rename(graph.add("Neg", graph.column("raw", onnx.TensorProto.DOUBLE, 2)), "assay:m")
    graph.section = "answer"
    graph.answer(graph.add("Abs", "assay:scores"), "said", onnx.TensorProto.DOUBLE, 2)
    return graph.build(answer, "assay:scores", 2)


def test_a_section_is_cut_out() -> None:
    model = onnx.load_from_string(cut(three_sections(), "model", "assay:scores"))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Sigmoid", "Identity"]
    assert [v.name for v in model.graph.input] == ["assay:m"]
    assert [v.name for v in model.graph.output] == ["assay:scores"]
    assert not model.graph.value_info


def test_a_file_without_sections_stays() -> None:
    graph = Graph()
    plain = graph.build(graph.add("Neg", graph.input("x", 1)), "y", 1)
    assert cut(plain, "model", "assay:scores") == plain


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    try:
        found = [whole for _, _, whole in fields(noise)]
    except ValueError:
        return
    assert b"".join(found) == noise


@pytest.mark.parametrize("end", [1, 7, -1])
def test_a_file_that_ends_early_is_refused(end: int) -> None:
    with pytest.raises((ValueError, UnicodeDecodeError)):
        list(fields(three_sections()[:end]))
