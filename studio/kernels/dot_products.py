"""Small products whose sums never leave the registers, written for LLVM because a loop in Python cannot say so.

    out[v, j] += Σ_i x[v, i] w[i, j]           for all rows v, in the order of i, each step fused

Eight sums of eight numbers are under way at once, as many as it takes to begin two of them in every cycle: of 64
outputs for one row, or of 16 for four rows, which use each weight four times. Weights lie as these blocks read them,
from first to last. Every sum is taken in the same order whatever the number of rows, and so is the same bit for bit.
Weights may be halves (float16), which a processor widens as it loads them: the same sums from half the bytes.
"""

import platform
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

LANES, SUMS = 8, 8
ROWS = 4
"""Rows of a block, where their number is a multiple of it; else one."""
_FLOAT, _HALF, _WHOLE = ir.FloatType(), ir.HalfType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_WEIGHT = {types.float32: _FLOAT, types.uint16: ir.IntType(16)}
_TABLE = types.Array(types.float32, 2, "C")


def widens_halves() -> bool:
    """Whether this processor has an instruction for it."""
    return platform.machine() in ("arm64", "aarch64") or bool(binding.get_host_cpu_features().get("f16c"))


def lay_out_weights(w: NDArray[Any], rows: int) -> NDArray[Any]:
    """Weights (n, m) as products of so many rows read them: block after block of outputs, of each all inputs."""
    parts, first, vectors = [], 0, SUMS // _together(rows)
    while vectors:
        last = w.shape[1] // (vectors * LANES) * vectors * LANES
        parts += [w[:, j : j + vectors * LANES].ravel() for j in range(first, last, vectors * LANES)]
        first, vectors = last, vectors // 2
    return np.concatenate(parts)


def _together(rows: int) -> int:
    return 1 if rows % ROWS else ROWS


def _add_products(typing: Any, out: Any, o: Any, x: Any, i: Any, rows: Any, w: Any, at: Any, n: Any, m: Any) -> Any:
    """Adds to so many rows of out `(…, ≥ m)` from row o on the products of rows of x `(…, ≥ n)` from row i on with the
    weights `(n, m)` that are `laid` for so many rows from `at` on.

    out and x are float32, w is float32 or, as uint16, the bits of halves; m is a multiple of 8.
    """
    if (out, x) != (_TABLE, _TABLE) or w.dtype not in (types.float32, types.uint16):
        raise TypeError("products are of float32, with weights of float32 or halves")
    signature = types.void(out, *[types.intp if t is not x and t is not w else t for t in (o, x, i, rows, w, at, n, m)])

    def emitted(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        (out, o), (x, i), (w, at) = (
            (context.make_array(signature.args[k])(context, builder, given[k]), given[k + 1]) for k in (0, 2, 5)
        )
        places = []
        for table, row in ((out, o), (x, i)):
            _, width = cgutils.unpack_tuple(builder, table.shape, 2)  # type: ignore[no-untyped-call]
            places += [builder.gep(table.data, [builder.mul(row, width)], source_etype=_FLOAT), width]
        kind = _WEIGHT[signature.args[5].dtype]
        weights = builder.gep(w.data, [at], source_etype=kind)
        builder.call(_products(builder.module, kind), [*places, weights, given[4], *given[7:]])
        return context.get_dummy_value()

    return signature, emitted


add_products: Any = intrinsic(_add_products)


def _products(module: Any, weight: Any) -> Any:
    """The function that all calls in a module share."""
    name = f"studio.products.{weight}"
    if name in module.globals:
        return module.globals[name]
    place, number = _FLOAT.as_pointer(), _WHOLE
    kinds = [place, number, place, number, weight.as_pointer(), number, number, number]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"  # of all modules that are linked to one
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    _Products(builder, weight, *function.args).emit()
    builder.ret_void()
    return function


class _Products:
    """The loops: over blocks of outputs, as wide as they go; over rows by four or one; over inputs."""

    def __init__(
        self, builder: Any, weight: Any, out: Any, out_row: Any, x: Any, x_row: Any, w: Any, rows: Any, n: Any, m: Any
    ) -> None:
        self.builder, self.weight = builder, weight
        self.out, self.x, self.w, self.rows, self.n, self.m = out, x, w, rows, n, m
        self.row_of = {id(out): out_row, id(x): x_row}
        fused = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        self.fuse = cgutils.get_or_insert_function(builder.module, fused, f"llvm.fma.v{LANES}f32")  # type: ignore[no-untyped-call]
        self.sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(SUMS)]  # type: ignore[no-untyped-call]

    def emit(self) -> None:
        builder = self.builder
        odd = builder.icmp_unsigned("!=", builder.and_(self.rows, _whole(ROWS - 1)), _whole(0))
        with builder.if_else(odd) as (single, fourfold):
            with single:
                self._blocks(1)
            with fourfold:
                self._blocks(ROWS)

    def _blocks(self, together: int) -> None:
        builder, first, vectors = self.builder, _whole(0), SUMS // together
        while vectors:
            width = vectors * LANES
            last = builder.and_(self.m, _whole(-width))
            with cgutils.for_range_slice(builder, first, last, _whole(width), _WHOLE) as (j, _):
                block = builder.mul(self.n, j)
                with cgutils.for_range_slice(builder, _whole(0), self.rows, _whole(together), _WHOLE) as (row, _):
                    self._block(block, row, j, together, vectors)
            first, vectors = last, vectors // 2

    def _block(self, block: Any, row: Any, j: Any, together: int, vectors: int) -> None:
        """The sums of `vectors` vectors of outputs from j on, of as many rows from `row` on."""
        builder = self.builder
        places = [(v, k, self.sums[v * vectors + k]) for v in range(together) for k in range(vectors)]
        for v, k, kept in places:
            builder.store(self._load(self._place(self.out, row, v, j, k), _VECTOR, 4), kept)
        with cgutils.for_range(builder, self.n, intp=_WHOLE) as loop:
            base = builder.add(block, builder.mul(loop.index, _whole(vectors * LANES)))
            weights = [self._weights(builder.add(base, _whole(LANES * k))) for k in range(vectors)]
            heights = [self._spread(self._place(self.x, row, v, loop.index, 0)) for v in range(together)]
            for v, k, kept in places:
                builder.store(builder.call(self.fuse, [heights[v], weights[k], builder.load(kept, typ=_VECTOR)]), kept)
        for v, k, kept in places:
            into = builder.bitcast(self._place(self.out, row, v, j, k), _VECTOR.as_pointer())
            builder.store(builder.load(kept, typ=_VECTOR), into, align=4)

    def _place(self, data: Any, row: Any, v: int, column: Any, vector: int) -> Any:
        builder = self.builder
        start = builder.mul(builder.add(row, _whole(v)), self.row_of[id(data)])
        index = builder.add(builder.add(start, column), _whole(LANES * vector))
        return builder.gep(data, [index], source_etype=_FLOAT)

    def _weights(self, index: Any) -> Any:
        builder = self.builder
        place = builder.gep(self.w, [index], source_etype=self.weight)
        if self.weight is _FLOAT:
            return self._load(place, _VECTOR, 4)
        return builder.fpext(self._load(place, ir.VectorType(_HALF, LANES), 2), _VECTOR)

    def _load(self, place: Any, kind: Any, align: int) -> Any:
        return self.builder.load(self.builder.bitcast(place, kind.as_pointer()), align=align, typ=kind)

    def _spread(self, place: Any) -> Any:
        """One number in every lane."""
        builder, none = self.builder, ir.Constant(_VECTOR, ir.Undefined)
        one = builder.insert_element(none, builder.load(place, typ=_FLOAT), ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(one, none, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _whole(number: int) -> Any:
    return ir.Constant(_WHOLE, number)
