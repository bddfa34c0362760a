"""Small matrix products that keep their sums in registers. They are written for LLVM, as numba cannot promise this.

    out[v, j] += Σ_i x[v, i] w[i, j]           for all rows v, in the order of i, each step a fused multiply-add

Eight vectors of eight sums are computed at once, which is enough to start two multiply-adds in every cycle. They are
64 outputs of one row, or 16 outputs of four rows, which then use each weight four times. Weights are stored in the
order in which these blocks read them. A sum is taken in the same order for any number of rows, so its result is the
same bit for bit. Weights may be halves (float16), which the processor widens as it loads them: half the bytes, the
same sums.
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
"""Rows of a block if the number of rows is a multiple of 4. Otherwise a block has one row."""
_FLOAT = ir.FloatType()
_HALF = ir.HalfType()
_INTEGER = ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_WEIGHT = {types.float32: _FLOAT, types.uint16: ir.IntType(16)}
_TABLE = types.Array(types.float32, 2, "C")


def widens_halves() -> bool:
    """Return whether this processor has an instruction that widens float16 to float32."""
    return platform.machine() in ("arm64", "aarch64") or bool(binding.get_host_cpu_features().get("f16c"))


def lay_out_weights(w: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return the weights `(n, m)` in the order in which a product of so many rows reads them.

    It reads block after block of outputs, and all n inputs of each block.
    """
    parts = []
    first = 0
    vectors = SUMS // _rows_together(rows)
    while vectors:
        last = w.shape[1] // (vectors * LANES) * vectors * LANES
        parts += [w[:, j : j + vectors * LANES].ravel() for j in range(first, last, vectors * LANES)]
        first = last
        vectors = vectors // 2
    return np.concatenate(parts)


def _rows_together(rows: int) -> int:
    """Return the number of rows in a block."""
    return 1 if rows % ROWS else ROWS


def _add_products(typing: Any, out: Any, o: Any, x: Any, i: Any, rows: Any, w: Any, at: Any, n: Any, m: Any) -> Any:
    """Add products of rows of x with weights w to rows of out.

    Arguments
        out, o: float32 `(…, ≥ m)`, and its first row to change
        x, i: float32 `(…, ≥ n)`, and its first row to multiply
        rows: number of rows
        w, at: weights as `lay_out_weights` returns them for so many rows, and where in w they begin; float32, or the
            bits of float16 as uint16
        n, m: number of inputs and of outputs; m is a multiple of 8
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
        builder.call(_products_function(builder.module, kind), [*places, weights, given[4], *given[7:]])
        return context.get_dummy_value()

    return signature, emitted


add_products: Any = intrinsic(_add_products)


def _products_function(module: Any, weight: Any) -> Any:
    """Return the LLVM function that all calls in a module share."""
    name = f"studio.products.{weight}"
    if name in module.globals:
        return module.globals[name]
    place = _FLOAT.as_pointer()
    number = _INTEGER
    kinds = [place, number, place, number, weight.as_pointer(), number, number, number]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"  # linked modules keep one of their equal functions
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    _Products(builder, weight, *function.args).emit()
    builder.ret_void()
    return function


class _Products:
    """Emits the loops: over blocks of outputs, the widest first; over rows by four or one; over inputs."""

    def __init__(
        self, builder: Any, weight: Any, out: Any, out_row: Any, x: Any, x_row: Any, w: Any, rows: Any, n: Any, m: Any
    ) -> None:
        self.builder = builder
        self.weight = weight
        self.out = out
        self.x = x
        self.w = w
        self.rows = rows
        self.n = n
        self.m = m
        self.row_of = {id(out): out_row, id(x): x_row}
        fused = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        self.fuse = cgutils.get_or_insert_function(builder.module, fused, f"llvm.fma.v{LANES}f32")  # type: ignore[no-untyped-call]
        self.sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(SUMS)]  # type: ignore[no-untyped-call]

    def emit(self) -> None:
        """Emit the loops for blocks of four rows and of one, and the choice between them."""
        builder = self.builder
        odd = builder.icmp_unsigned("!=", builder.and_(self.rows, _integer(ROWS - 1)), _integer(0))
        with builder.if_else(odd) as (single, fourfold):
            with single:
                self._emit_blocks(1)
            with fourfold:
                self._emit_blocks(ROWS)

    def _emit_blocks(self, together: int) -> None:
        """Emit the loops over all blocks, with so many rows in each."""
        builder = self.builder
        first = _integer(0)
        vectors = SUMS // together
        while vectors:
            width = vectors * LANES
            last = builder.and_(self.m, _integer(-width))
            with cgutils.for_range_slice(builder, first, last, _integer(width), _INTEGER) as (j, _):
                block = builder.mul(self.n, j)
                with cgutils.for_range_slice(builder, _integer(0), self.rows, _integer(together), _INTEGER) as (row, _):
                    self._emit_block(block, row, j, together, vectors)
            first = last
            vectors = vectors // 2

    def _emit_block(self, block: Any, row: Any, j: Any, together: int, vectors: int) -> None:
        """Emit the sums of one block: `vectors` vectors of outputs from j on, `together` rows from `row` on."""
        builder = self.builder
        places = [(v, k, self.sums[v * vectors + k]) for v in range(together) for k in range(vectors)]
        for v, k, kept in places:
            builder.store(self._load(self._pointer(self.out, row, v, j, k), _VECTOR, 4), kept)
        with cgutils.for_range(builder, self.n, intp=_INTEGER) as loop:
            base = builder.add(block, builder.mul(loop.index, _integer(vectors * LANES)))
            weights = [self._load_weights(builder.add(base, _integer(LANES * k))) for k in range(vectors)]
            heights = [self._broadcast(self._pointer(self.x, row, v, loop.index, 0)) for v in range(together)]
            for v, k, kept in places:
                builder.store(builder.call(self.fuse, [heights[v], weights[k], builder.load(kept, typ=_VECTOR)]), kept)
        for v, k, kept in places:
            into = builder.bitcast(self._pointer(self.out, row, v, j, k), _VECTOR.as_pointer())
            builder.store(builder.load(kept, typ=_VECTOR), into, align=4)

    def _pointer(self, data: Any, row: Any, v: int, column: Any, vector: int) -> Any:
        """Return the place of a number in row `row + v`, so many vectors behind a column."""
        builder = self.builder
        start = builder.mul(builder.add(row, _integer(v)), self.row_of[id(data)])
        index = builder.add(builder.add(start, column), _integer(LANES * vector))
        return builder.gep(data, [index], source_etype=_FLOAT)

    def _load_weights(self, index: Any) -> Any:
        """Return eight weights as float32, whether they are stored as float32 or float16."""
        builder = self.builder
        place = builder.gep(self.w, [index], source_etype=self.weight)
        if self.weight is _FLOAT:
            return self._load(place, _VECTOR, 4)
        return builder.fpext(self._load(place, ir.VectorType(_HALF, LANES), 2), _VECTOR)

    def _load(self, place: Any, kind: Any, align: int) -> Any:
        return self.builder.load(self.builder.bitcast(place, kind.as_pointer()), align=align, typ=kind)

    def _broadcast(self, place: Any) -> Any:
        """Return a vector with the same number in every lane."""
        builder = self.builder
        none = ir.Constant(_VECTOR, ir.Undefined)
        one = builder.insert_element(none, builder.load(place, typ=_FLOAT), ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(one, none, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _integer(number: int) -> Any:
    return ir.Constant(_INTEGER, number)
