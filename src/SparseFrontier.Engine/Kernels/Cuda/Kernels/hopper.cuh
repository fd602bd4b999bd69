// The instructions of Hopper (sm_90a) that C++ has no name for: barriers in shared memory (mbarrier), the copy engine (TMA), warpgroup
// matrix products (wgmma), and the conversions around them. NVIDIA's PTX manual describes each; nothing here decides anything.
#pragma once

#if HALF
#define TYPE "f16"
#else
#define TYPE "bf16"
#endif

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short Element;  // the bits of a bf16 or fp16 number

#define NegativeInfinity (__int_as_float(0xff800000))

#define DEVICE __device__ __forceinline__

/// A tensor map as the driver encodes it.
struct alignas(64) TensorMap { u64 words[16]; };

DEVICE u32 shared_address(const void* pointer) { return (u32)__cvta_generic_to_shared(pointer); }

DEVICE void barrier_init(u32 barrier, int arrivals) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(barrier), "r"(arrivals) : "memory"); }

DEVICE void barrier_arrive(u32 barrier) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(barrier) : "memory"); }

DEVICE void barrier_expect(u32 barrier, int bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(barrier), "r"(bytes) : "memory"); }

DEVICE void barrier_wait(u32 barrier, u32 parity)
{
    asm volatile(
        "{\n.reg .pred done;\nAGAIN:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@done bra READY;\nbra AGAIN;\nREADY:\n}"
        :: "r"(barrier), "r"(parity) : "memory");
}

DEVICE void named_sync(int id, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(id), "r"(threads) : "memory"); }
DEVICE void named_arrive(int id, int threads) { asm volatile("bar.arrive %0, %1;" :: "r"(id), "r"(threads) : "memory"); }

DEVICE void copy_box(u32 destination, const TensorMap* map, u32 barrier, int dim, int row, int head, int batch)
{
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
        :: "r"(destination), "l"(map), "r"(barrier), "r"(dim), "r"(row), "r"(head), "r"(batch) : "memory");
}

/// Shared-memory matrix descriptor with 128-byte swizzle. stride: bytes between groups of 8 rows; leading: bytes between panels (transposed operands).
DEVICE u64 descriptor(u32 address, u32 leading, u32 stride)
{
    return (u64)(address >> 4) | ((u64)(leading >> 4) << 16) | ((u64)(stride >> 4) << 32) | (1ull << 62);
}

DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int Pending> DEVICE void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(Pending) : "memory"); }

/// Keeps the compiler from moving uses of the accumulators across this point.
template <int Count> DEVICE void pin(float (&values)[Count])
{
#pragma unroll
    for (int i = 0; i < Count; i++) asm volatile("" : "+f"(values[i]) :: "memory");
}

#define LIST_16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
    "%" #a ", %" #b ", %" #c ", %" #d ", %" #e ", %" #f ", %" #g ", %" #h ", %" #i ", %" #j ", %" #k ", %" #l ", %" #m ", %" #n ", %" #o ", %" #p
#define LIST_32 LIST_16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) ", " LIST_16(16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31)
#define LIST_64 LIST_32 ", " LIST_16(32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47) ", " \
    LIST_16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63)
#define LIST_128 LIST_64 ", " LIST_16(64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79) ", " \
    LIST_16(80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95) ", " \
    LIST_16(96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111) ", " \
    LIST_16(112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127)
#define REGS_8(c, i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]), "+f"(c[i + 7])
#define REGS_32(c, i) REGS_8(c, i), REGS_8(c, i + 8), REGS_8(c, i + 16), REGS_8(c, i + 24)
#define REGS_64(c, i) REGS_32(c, i), REGS_32(c, i + 32)
#define REGS_128(c, i) REGS_64(c, i), REGS_64(c, i + 64)

/// c (+)= A B for 64 rows, N columns, 16 deep. A from shared memory or registers; B [N, 16] rows along the depth, or (TRANSPOSED) [16, N].
#define DEFINE_WGMMA(N, COUNT, A0, A1, A2, A3, A4, A5) \
DEVICE void multiply(float (&c)[COUNT], u64 a, u64 b, int add) \
{ \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #A2 ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" LIST_##COUNT "}, %" #A0 ", %" #A1 ", p, 1, 1, 0, 0;\n}" \
        : REGS_##COUNT(c, 0) : "l"(a), "l"(b), "r"(add)); \
} \
DEVICE void multiply(float (&c)[COUNT], const u32* a, u64 b, int add) \
{ \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #A5 ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" LIST_##COUNT "}, {%" #A0 ", %" #A1 ", %" #A2 ", %" #A3 "}, %" #A4 ", p, 1, 1, 0;\n}" \
        : REGS_##COUNT(c, 0) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add)); \
} \
DEVICE void multiply_transposed(float (&c)[COUNT], const u32* a, u64 b) \
{ \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #A5 ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" LIST_##COUNT "}, {%" #A0 ", %" #A1 ", %" #A2 ", %" #A3 "}, %" #A4 ", p, 1, 1, 1;\n}" \
        : REGS_##COUNT(c, 0) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1)); \
}

DEFINE_WGMMA(64, 32, 32, 33, 34, 35, 36, 37)
DEFINE_WGMMA(128, 64, 64, 65, 66, 67, 68, 69)
DEFINE_WGMMA(256, 128, 128, 129, 130, 131, 132, 133)

DEVICE float exp2_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

/// Two numbers rounded to the element type, the first in the low half.
DEVICE u32 pack(float low, float high)
{
    u32 packed;
#if HALF
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
#else
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
#endif
    return packed;
}
