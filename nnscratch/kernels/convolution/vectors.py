"""A vocabulary for vector registers: what the inner loops of the convolution are written in.

A CPU multiplies and adds 4 to 16 numbers at once if they stand in one register, each in a place of
its own, a "lane". Compilers find that out by themselves for simple loops, but not for a convolution
whose sums should stay in registers while the image streams by. So these few words say it outright,
inside numba functions::

    v = load(a, i)            v = a[i : i + lanes]
    v = broadcast(a, i)       every lane = a[i]
    v = zeros(a)              every lane = 0
    v = fma(x, y, v)          v + x * y, rounded once where the CPU can ("fused multiply-add")
    v = add(x, y)             x + y
    v = at_least(x, y)        y, but x where y < x; not a number where y is not
    v = largest(x, y, z, u)   the largest of four; not a number where one of them is not
    v = where_above(x, y, s, t)   s where x > y, t elsewhere
    store(a, i, v)            a[i : i + lanes] = v
    store_lane_sums(a, i, j, t)   the sums over the lanes of each of the eight vectors in the
                              tuple t: a[i : i + 4] = the first four, a[j : j + 4] = the others

and two for the winners of 2x2 max pooling, which are bytes::

    v = keep_where(b, i, w, v)            v where b[i : i + lanes] = w, 0 elsewhere
    store_first_equal(b, i, m, x, y, z)   b[i : i + lanes] = 0 where m = x, else 1 where m = y,
                                          else 2 where m = z, else 3

``a`` is always a flat contiguous array, float32 or float64, and decides the type; ``i`` is not
negative and not checked. `LANES` says how many numbers fit into a register of this CPU, `REGISTERS`
how many it has. Each word is a few lines that emit LLVM's own instruction for it
(https://llvm.org/docs/LangRef.html).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model


def _features() -> set[str]:
    """What the CPU that numba compiles for can do, in LLVM's words."""
    config: Any = numba.config
    chosen = config.CPU_FEATURES  # the environment variable NUMBA_CPU_FEATURES
    features = get_host_cpu_features().flatten() if chosen is None else chosen
    return {name[1:] for name in features.split(",") if name.startswith("+")}


FEATURES = _features()
BITS = 512 if "avx512f" in FEATURES else 256 if "avx" in FEATURES else 128
REGISTERS = 32 if FEATURES & {"avx512f", "neon"} else 16
LANES = {np.dtype(np.float32): BITS // 32, np.dtype(np.float64): BITS // 64}


class Vector(types.Type):
    """The numba type of a full register of ``element``s."""

    def __init__(self, element: types.Float) -> None:
        self.element, self.lanes = element, BITS // element.bitwidth
        super().__init__(name=f"Vector({element}, {self.lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        element = ir.FloatType() if vector.element == types.float32 else ir.DoubleType()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))


def _pointer(context, builder, array_type, array, index, value):
    """To ``array[index]`` and what follows, as a value of that LLVM type."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), value.as_pointer())


def _splat(builder, scalar, vector):
    """The scalar in every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, lanes)


@intrinsic
def load(typingctx, a, i):
    vector = Vector(a.dtype)

    def emit(context, builder, signature, args):
        pointer = _pointer(context, builder, a, *args, context.get_value_type(vector))
        return builder.load(pointer, align=a.dtype.bitwidth // 8)

    return vector(a, types.intp), emit


@intrinsic
def store(typingctx, a, i, v):
    def emit(context, builder, signature, args):
        pointer = _pointer(context, builder, a, *args[:2], args[2].type)
        builder.store(args[2], pointer, align=a.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(a, types.intp, v), emit


@intrinsic
def broadcast(typingctx, a, i):
    vector = Vector(a.dtype)

    def emit(context, builder, signature, args):
        lane = context.get_value_type(a.dtype)
        scalar = builder.load(_pointer(context, builder, a, *args, lane))
        return _splat(builder, scalar, context.get_value_type(vector))

    return vector(a, types.intp), emit


@intrinsic
def zeros(typingctx, a):
    vector = Vector(a.dtype)

    def emit(context, builder, signature, args):
        return ir.Constant(context.get_value_type(vector), None)

    return vector(a), emit


@intrinsic
def fma(typingctx, x, y, v):
    def emit(context, builder, signature, args):
        vector = args[0].type
        name = f"llvm.fmuladd.v{v.lanes}f{v.element.bitwidth}"
        kind = ir.FunctionType(vector, 3 * [vector])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return v(x, y, v), emit


@intrinsic
def add(typingctx, x, y):
    def emit(context, builder, signature, args):
        return builder.fadd(*args)

    return x(x, y), emit


@intrinsic
def at_least(typingctx, low, v):
    def emit(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return v(low, v), emit


@intrinsic
def largest(typingctx, a, b, c, d):
    def emit(context, builder, signature, args):
        def larger(x, y):
            return builder.select(builder.fcmp_ordered(">", x, y), x, y)

        a, b, c, d = args
        unordered = builder.or_(
            builder.fcmp_unordered("uno", a, b), builder.fcmp_unordered("uno", c, d)
        )
        nan = ir.Constant(a.type, [float("nan")] * a.type.count)
        return builder.select(unordered, nan, larger(larger(a, b), larger(c, d)))

    return a(a, b, c, d), emit


@intrinsic
def where_above(typingctx, x, y, s, t):
    def emit(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])

    return s(x, y, s, t), emit


@intrinsic
def store_lane_sums(typingctx, a, i, j, v):
    def emit(context, builder, signature, args):
        array, *places, _ = args
        sums = _lane_sums(builder, cgutils.unpack_tuple(builder, args[3]))
        for place, half in zip(places, (range(4), range(4, 8)), strict=True):
            part = _shuffle(builder, sums, sums, half)
            pointer = _pointer(context, builder, a, array, place, part.type)
            builder.store(part, pointer, align=a.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(a, types.intp, types.intp, v), emit


def _lane_sums(builder, vectors):
    """One vector with the sum of the lanes of each of eight vectors.

    Neighbouring lanes are added, and each time two vectors become one.
    """
    lanes = vectors[0].type.count  # that belong to one of the eight
    while lanes > 1:
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True)) if len(vectors) > 1 else None
        pairs = pairs or [(vectors[0], None)]
        vectors = [_add_neighbours(builder, a, b) for a, b in pairs]
        lanes //= 2
    while len(vectors) > 1:
        count = range(2 * vectors[0].type.count)
        halves = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [_shuffle(builder, a, b, count) for a, b in halves]
    return vectors[0]


def _add_neighbours(builder, a, b):
    count = a.type.count * (1 if b is None else 2)
    b = a if b is None else b
    even, odd = (_shuffle(builder, a, b, range(first, count, 2)) for first in (0, 1))
    return builder.fadd(even, odd)


def _shuffle(builder, a, b, lanes):
    """The numbered lanes of a followed by b."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
    return builder.shuffle_vector(a, b, mask)


@intrinsic
def keep_where(typingctx, b, i, w, v):
    def emit(context, builder, signature, args):
        array, index, winner, vector = args
        byte = ir.VectorType(ir.IntType(8), v.lanes)
        pointer = _pointer(context, builder, b, array, index, byte)
        wanted = _splat(builder, builder.trunc(winner, ir.IntType(8)), byte)
        equal = builder.icmp_unsigned("==", builder.load(pointer, align=1), wanted)
        return builder.select(equal, vector, ir.Constant(vector.type, None))

    return v(b, types.intp, types.intp, v), emit


@intrinsic
def store_first_equal(typingctx, b, i, m, x, y, z):
    def emit(context, builder, signature, args):
        array, index, best, *candidates = args
        byte = ir.VectorType(ir.IntType(8), m.lanes)
        winner = ir.Constant(byte, [3] * m.lanes)
        for number in (2, 1, 0):
            equal = builder.fcmp_ordered("==", best, candidates[number])
            winner = builder.select(equal, ir.Constant(byte, [number] * m.lanes), winner)
        pointer = _pointer(context, builder, b, array, index, byte)
        builder.store(winner, pointer, align=1)
        return context.get_dummy_value()

    return types.void(b, types.intp, m, x, y, z), emit
