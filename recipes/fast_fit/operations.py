"""Which operations of a training step XLA may compile without losing an error.

On a CPU, TensorFlow's kernels raise if a label is outside of the classes, an assertion
fails, or a matrix is singular. XLA never raises on values: it would train on with
nonsense. So XLA gets only steps in which every operation either cannot raise, or has
a condition on its inputs, its *guard*, under which it does not. All others run in
TensorFlow's own loop, which keeps the errors.

The list serves speed too: on a CPU, XLA's convolutions, pooling, random numbers and
sorts are slower than TensorFlow's, so they are not on it. The choice depends on the
step alone, never on a clock: the same seed gives the same numbers to the bit.
"""

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

# They have no run-time error, whatever the values; for wrong shapes XLA raises too.
_SHAPES = """
    BroadcastArgs BroadcastGradientArgs BroadcastTo ConcatOffset ConcatV2 Const
    EnsureShape ExpandDims Fill Identity IdentityN InvertPermutation NoOp OneHot
    OnesLike Pack Pad PadV2 Placeholder PlaceholderWithDefault PreventGradient Range
    Rank Reshape ReverseV2 Shape ShapeN Size Split SplitV Squeeze StopGradient Tile
    Transpose Unpack VariableShape ZerosLike
"""
_ARITHMETIC = """
    Abs Acos Acosh Add AddN AddV2 All Any ApproximateEqual ArgMax ArgMin Asin Asinh
    Atan Atan2 Atanh BatchMatMul BatchMatMulV2 BiasAdd BiasAddGrad Bitcast
    BitwiseAnd BitwiseOr BitwiseXor Ceil ClipByValue Cos Cosh DivNoNan Einsum Elu
    EluGrad Equal Erf Erfc Exp Expm1 Floor Greater GreaterEqual Inv InvGrad IsFinite
    IsInf IsNan L2Loss LeakyRelu LeakyReluGrad Less LessEqual Log Log1p LogicalAnd
    LogicalNot LogicalOr LogSoftmax MatMul MatrixBandPart Max Maximum Mean Min
    Minimum Mul MulNoNan Neg NextAfter NotEqual Prod Reciprocal ReciprocalGrad Relu
    Relu6 Relu6Grad ReluGrad Rint Round Rsqrt RsqrtGrad Select SelectV2 Selu
    SeluGrad Sigmoid SigmoidGrad Sign Sin Sinh Softmax SoftmaxCrossEntropyWithLogits
    Softplus SoftplusGrad Softsign SoftsignGrad Sqrt SqrtGrad Square
    SquaredDifference Sub Sum Tan Tanh TanhGrad Xdivy Xlog1py Xlogy
"""
_STATE = "AssignAddVariableOp AssignSubVariableOp AssignVariableOp ReadVariableOp"
_PURE = {*_SHAPES.split(), *_ARITHMETIC.split()} - {"Placeholder"}
_HARMLESS = {*_PURE, *_STATE.split(), "Placeholder"}

# Integers divided by zero raise; so do negative powers of integers.
_HARMLESS_IF_FLOATING = {
    "Div", "FloorDiv", "FloorMod", "Mod", "Pow", "RealDiv", "TruncateDiv",
    "TruncateMod",
}  # fmt: skip

# Row numbers that follow from shapes and constants alone are checked by the compiler.
# The numbers are those of the inputs that have to be such.
_HARMLESS_IF_FIXED: dict[str, tuple[int, ...]] = {
    "DynamicStitch": (0, 1, 2, 3),
    "Slice": (1, 2),
    "StridedSlice": (1, 2, 3),
    "StridedSliceGrad": (0, 1, 2, 3),
}
_CALLS = {
    "Case", "If", "PartitionedCall", "StatefulPartitionedCall", "StatelessCase",
    "StatelessIf", "StatelessWhile", "While",
}  # fmt: skip


class UnguardedOperation(Exception):
    """A step has an operation that XLA should not compile."""


def add_guards(graph: Any) -> list[tf.Tensor]:
    """Add to the graph of a step the conditions under which it does not raise.

    Args:
        graph: The `FuncGraph` that is being traced.

    Returns:
        Scalar bools. While all are true, TensorFlow's kernels raise no error on a CPU.

    Raises:
        UnguardedOperation: With the operation's type, if there is no such condition.
    """
    definition = graph.as_graph_def()
    nodes = _Nodes(definition.node, definition.library.function)
    guards: list[tf.Tensor] = []
    for operation in graph.get_operations():
        if not nodes.is_harmless(operation.name):
            make_guard = _GUARDS.get(operation.type)
            if make_guard is None:
                raise UnguardedOperation(operation.type)
            guards += make_guard(operation, nodes)
    return guards


class _Nodes:
    """The nodes of a graph or function by name, and the functions they call."""

    def __init__(self, nodes: Iterable[Any], library: Iterable[Any]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._library = {each.signature.name: each for each in library}

    def is_harmless(self, name: str) -> bool:
        """Return whether a node's kernel raises on no values of its inputs."""
        node = self._nodes[name]
        if node.op in _HARMLESS_IF_FIXED:
            inputs = _data_inputs(node)
            chosen = [inputs[i] for i in _HARMLESS_IF_FIXED[node.op] if i < len(inputs)]
            return all(self._is_fixed(each) for each in chosen)
        if node.op in _HARMLESS_IF_FLOATING:
            return tf.dtypes.as_dtype(node.attr["T"].type).is_floating
        if node.op == "Cast":
            return not _turns_floats_into_integers(node)
        if node.op in _CALLS:
            return all(self.is_harmless_function(each) for each in _called(node))
        return node.op in _HARMLESS

    def is_harmless_function(self, name: str) -> bool:
        """Return whether all nodes of a function are harmless."""
        inner = _Nodes(self._library[name].node_def, self._library.values())
        return all(inner.is_harmless(each) for each in inner._nodes)

    def _is_fixed(self, name: str) -> bool:
        """Return whether a value follows from shapes and constants alone."""
        node = self._nodes.get(name)
        if node is None:  # the argument of a function
            return False
        if node.op in ("Const", "Shape", "ShapeN", "Size", "Rank", "VariableShape"):
            return True
        known = node.op in _PURE or node.op in ("Cast", *_HARMLESS_IF_FIXED)
        known = known or node.op in ("GatherV2", *_HARMLESS_IF_FLOATING)
        return known and all(self._is_fixed(each) for each in _data_inputs(node))


def _data_inputs(node: Any) -> list[str]:
    """Return the names of the nodes whose outputs a node takes."""
    return [each.split(":")[0] for each in node.input if not each.startswith("^")]


def _called(node: Any) -> list[str]:
    """Return the names of the functions that a node calls."""
    values = node.attr.values()
    return [
        function.name
        for value in values
        for function in (
            *([value.func] if value.HasField("func") else []),
            *value.list.func,
        )
    ]


def _turns_floats_into_integers(node: Any) -> bool:
    source, target = (
        tf.dtypes.as_dtype(node.attr[name].type) for name in ("SrcT", "DstT")
    )
    return source.is_floating and target.is_integer


# Guards: what the kernels check ------------------------------------------------------


def _guard_labels(operation: Any, nodes: _Nodes) -> list[tf.Tensor]:
    scores, labels = operation.inputs
    return [_are_in_range(labels, tf.shape(scores)[1])]


def _guard_gather(operation: Any, nodes: _Nodes) -> list[tf.Tensor]:
    values, rows, axis = operation.inputs
    axis = tf.get_static_value(axis)
    if axis is None:
        raise UnguardedOperation(operation.type)
    return [_are_in_range(rows, tf.shape(values)[int(axis)])]


def _guard_rows_of_variable(operation: Any, nodes: _Nodes) -> list[tf.Tensor]:
    shape = tf.raw_ops.VariableShape(input=operation.inputs[0])
    return [_are_in_range(operation.inputs[1], shape[0])]


def _guard_segments(operation: Any, nodes: _Nodes) -> list[tf.Tensor]:
    return [_are_in_range(operation.inputs[1], operation.inputs[2])]


def _guard_assertion(operation: Any, nodes: _Nodes) -> list[tf.Tensor]:
    return [tf.reduce_all(operation.inputs[0])]


def _guard_finite(operation: Any, nodes: _Nodes) -> list[tf.Tensor]:
    return [tf.reduce_all(tf.math.is_finite(operation.inputs[0]))]


def _guard_divisor(operation: Any, nodes: _Nodes) -> list[tf.Tensor]:
    return [tf.reduce_all(operation.inputs[1] != 0)]


def _guard_branches(operation: Any, nodes: _Nodes) -> list[tf.Tensor]:
    """Require the branch that cannot raise: `tf.debugging` asserts in the other one."""
    condition, guards = operation.inputs[0], []
    if condition.dtype != tf.bool:
        raise UnguardedOperation(operation.type)
    if not nodes.is_harmless_function(operation.get_attr("then_branch").name):
        guards.append(tf.logical_not(condition))
    if not nodes.is_harmless_function(operation.get_attr("else_branch").name):
        guards.append(condition)
    return guards


def _are_in_range(indices: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all((indices >= 0) & (indices < tf.cast(count, indices.dtype)))


_GUARDS: dict[str, Callable[[Any, _Nodes], list[tf.Tensor]]] = {
    "Assert": _guard_assertion,
    "Cast": _guard_finite,  # XLA makes zero of NaN, a valid label
    "CheckNumerics": _guard_finite,
    "CheckNumericsV2": _guard_finite,
    "FloorDiv": _guard_divisor,
    "FloorMod": _guard_divisor,
    "GatherV2": _guard_gather,
    "If": _guard_branches,
    "ResourceGather": _guard_rows_of_variable,
    "ResourceScatterAdd": _guard_rows_of_variable,
    "ResourceScatterSub": _guard_rows_of_variable,
    "SparseSoftmaxCrossEntropyWithLogits": _guard_labels,
    "StatelessIf": _guard_branches,
    "UnsortedSegmentSum": _guard_segments,
}
