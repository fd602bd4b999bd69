// The products of score_tile.cuh on a warpgroup of Hopper (sm_90a): 16 rows of each of its four warps, held in registers, by N rows in shared memory.
#pragma once

#include "ptx.cuh"

// What an asynchronous copy or a store wrote to shared memory is seen by products after this and a barrier.
static __device__ __forceinline__ void showProducts()
{
    asm volatile("fence.proxy.async.shared::cta;" : : : "memory");
}

// Matrix with rows of 128 bytes whose 16-byte pieces are exchanged by row (128-byte swizzle); eight rows are 1,024 bytes.
static __device__ __forceinline__ unsigned long long matrix(unsigned address)
{
    return (unsigned long long)(address >> 4) | (1ull << 16) | (64ull << 32) | (1ull << 62);
}

// Registers are as they should be for the products that follow.
static __device__ __forceinline__ void beginProducts()
{
    asm volatile("wgmma.fence.sync.aligned;" : : : "memory");
}

static __device__ __forceinline__ void endProducts()
{
    asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" : : : "memory");
}

// Keeps the compiler from using a product before endProducts.
template <int N>
static __device__ __forceinline__ void pin(float (&c)[N / 8][4])
{
#pragma unroll
    for (int n = 0; n < N / 8; n++)
    {
        asm volatile("" : "+f"(c[n][0]), "+f"(c[n][1]), "+f"(c[n][2]), "+f"(c[n][3]) : : "memory");
    }
}

#if TYPE == 0
#define PRODUCT_TYPES "f32.bf16.bf16"
#else
#define PRODUCT_TYPES "f32.f16.f16"
#endif
#define EIGHT_COLUMNS(c, n) "+f"(c[n][0]), "+f"(c[n][1]), "+f"(c[n][2]), "+f"(c[n][3])

// c (+)= a b, 16 deep; not before endProducts.
static __device__ __forceinline__ void multiplyRows(float (&c)[4][4], const unsigned (&a)[4], unsigned long long b, int add)
{
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %21, 0;\nwgmma.mma_async.sync.aligned.m64n32k16." PRODUCT_TYPES
        " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, {%16, %17, %18, %19}, %20, p, 1, 1, 0;\n}"
        : EIGHT_COLUMNS(c, 0), EIGHT_COLUMNS(c, 1), EIGHT_COLUMNS(c, 2), EIGHT_COLUMNS(c, 3)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

static __device__ __forceinline__ void multiplyRows(float (&c)[8][4], const unsigned (&a)[4], unsigned long long b, int add)
{
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %37, 0;\nwgmma.mma_async.sync.aligned.m64n64k16." PRODUCT_TYPES
        " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31},"
        " {%32, %33, %34, %35}, %36, p, 1, 1, 0;\n}"
        : EIGHT_COLUMNS(c, 0), EIGHT_COLUMNS(c, 1), EIGHT_COLUMNS(c, 2), EIGHT_COLUMNS(c, 3), EIGHT_COLUMNS(c, 4), EIGHT_COLUMNS(c, 5), EIGHT_COLUMNS(c, 6), EIGHT_COLUMNS(c, 7)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}
