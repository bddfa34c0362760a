"""Small products whose sums never leave the registers, written for LLVM because a loop in Python cannot say so.

    out[v, j] += Σ_i x[v, i] w[i, j]           for all rows v, in the order of i, each step fused

Eight sums of eight numbers are under way at once: of 64 outputs for one row, of 32 for two, of 16 for four, so that
weights stream by as fast as they come and are used by as many rows as there are. Every sum is taken in the same order
whatever the number of rows, and so is the same bit for bit. Weights may be halves (float16), which a processor widens
as it loads them: the same sums from half the bytes.
"""

import platform
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES, SUMS = 8, 8
_FLOAT, _HALF, _WHOLE = ir.FloatType(), ir.HalfType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


def widens_halves() -> bool:
    """Whether this processor has an instruction for it."""
    return platform.machine() in ("arm64", "aarch64") or bool(binding.get_host_cpu_features().get("f16c"))


def _add_products(typing: Any, out: Any, x: Any, w: Any, at: Any, n: Any, m: Any) -> Any:
    """Adds to out `(V, ≥ m)` the products of x `(V, ≥ n)` with the weights `(n, m)` from `at` on.

    out and x are float32, w is float32 or, as uint16, the bits of halves; m is a multiple of 8.
    """
    kinds = (types.Array(types.float32, 2, "C"), types.Array(types.float32, 2, "C"))
    if (out, x) != kinds or w.dtype not in (types.float32, types.uint16):
        raise TypeError("products are of float32, with weights of float32 or halves")
    signature = types.void(out, x, w, types.intp, types.intp, types.intp)

    def emitted(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        arrays = [
            context.make_array(t)(context, builder, a) for t, a in zip(signature.args[:3], given[:3], strict=True)
        ]
        _Products(context, builder, arrays, w.dtype == types.uint16, *given[3:]).emit()
        return context.get_dummy_value()

    return signature, emitted


add_products: Any = intrinsic(_add_products)


class _Products:
    """The loops: over rows by four, two and one; over outputs by as many vectors as leave eight sums; over inputs."""

    def __init__(self, context: Any, builder: Any, arrays: Any, halves: bool, at: Any, n: Any, m: Any) -> None:
        self.builder, self.halves, self.at, self.n, self.m = builder, halves, at, n, m
        (self.out, out_row, self.rows), (self.x, x_row, _) = (self._rows(array) for array in arrays[:2])
        self.row_of = {id(self.out): out_row, id(self.x): x_row}
        self.w = arrays[2].data
        fused = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        self.fuse = cgutils.get_or_insert_function(builder.module, fused, f"llvm.fma.v{LANES}f32")  # type: ignore[no-untyped-call]
        self.sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(SUMS)]  # type: ignore[no-untyped-call]

    def _rows(self, array: Any) -> tuple[Any, Any, Any]:
        """Where its numbers begin, how many a row has, and how many rows there are."""
        shape = cgutils.unpack_tuple(self.builder, array.shape, 2)  # type: ignore[no-untyped-call]
        return array.data, shape[1], shape[0]

    def emit(self) -> None:
        builder, begin = self.builder, _whole(0)
        for together in (4, 2, 1):
            end = builder.and_(self.rows, _whole(-together))
            with cgutils.for_range_slice(builder, begin, end, _whole(together), _WHOLE) as (row, _):
                first, vectors = _whole(0), SUMS // together
                while vectors:
                    width = vectors * LANES
                    last = builder.and_(self.m, _whole(-width))
                    with cgutils.for_range_slice(builder, first, last, _whole(width), _WHOLE) as (j, _):
                        self._block(row, j, together, vectors)
                    first, vectors = last, vectors // 2
            begin = end

    def _block(self, row: Any, j: Any, together: int, vectors: int) -> None:
        """The sums of `vectors` vectors of outputs from j on, of as many rows from `row` on."""
        builder = self.builder
        places = [(v, k, self.sums[v * vectors + k]) for v in range(together) for k in range(vectors)]
        for v, k, kept in places:
            builder.store(self._load(self._place(self.out, row, v, j, k), _VECTOR, 4), kept)
        with cgutils.for_range(builder, self.n, intp=_WHOLE) as loop:
            base = builder.add(self.at, builder.add(builder.mul(loop.index, self.m), j))
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
        if not self.halves:
            return self._load(builder.gep(self.w, [index], source_etype=_FLOAT), _VECTOR, 4)
        place = builder.gep(self.w, [index], source_etype=ir.IntType(16))
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
