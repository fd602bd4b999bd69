// What the portable kernels (compute capability 8.0 and later) say in PTX: tensor-core products, shared-memory matrices, asynchronous copies.
// Compiled by NVRTC without any header. TYPE: 0 = bfloat16, 1 = float16; both travel as 16-bit patterns.
#pragma once

typedef unsigned short Element;

static constexpr unsigned AllLanes = 0xffffffffu;
#define MinusInfinity __uint_as_float(0xff800000u)
static constexpr float Log2E = 1.4426950408889634f;
static constexpr float Ln2 = 0.6931471805599453f;

// Two floats, rounded to nearest even; the first in the lower half.
static __device__ __forceinline__ unsigned packBFloat16(float low, float high)
{
    unsigned result;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
}

static __device__ __forceinline__ unsigned pack(float low, float high)
{
#if TYPE == 0
    return packBFloat16(low, high);
#else
    unsigned result;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
#endif
}

static __device__ __forceinline__ float widen(unsigned bits)
{
#if TYPE == 0
    return __uint_as_float(bits << 16);
#else
    float result;
    asm("{.reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h;}" : "=f"(result) : "r"(bits));
    return result;
#endif
}

// d += a b: a [16, 16] by rows, b [16, 8] by columns, d [16, 8] in float32. Lane l holds of a rows l/4 and l/4 + 8, columns 2(l%4), 2(l%4) + 1 and the
// same plus 8; of b rows like a's columns, column l/4; of d rows l/4 and l/4 + 8, columns 2(l%4) and 2(l%4) + 1.
static __device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1)
{
#if TYPE == 0
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#endif
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

static __device__ __forceinline__ unsigned sharedAddress(const void* pointer)
{
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// Four 8 x 8 matrices; lane l gives the address of row l%8 of matrix l/8.
static __device__ __forceinline__ void loadMatrices(unsigned (&r)[4], unsigned address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

static __device__ __forceinline__ void loadMatricesTransposed(unsigned (&r)[4], unsigned address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

// 16 bytes from global to shared memory; zeros where not valid, and then nothing is read.
static __device__ __forceinline__ void copyAsync(unsigned target, const void* source, bool valid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(target), "l"(source), "r"(valid ? 16 : 0) : "memory");
}

// The same for one number.
static __device__ __forceinline__ void copyAsync(float* target, const float* source, bool valid)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" : : "r"(sharedAddress(target)), "l"(source), "r"(valid ? 4 : 0) : "memory");
}

static __device__ __forceinline__ void commitCopies()
{
    asm volatile("cp.async.commit_group;" : : : "memory");
}

// Waits until at most the latest PENDING groups are under way.
template <int PENDING>
static __device__ __forceinline__ void waitCopies()
{
    asm volatile("cp.async.wait_group %0;" : : "n"(PENDING) : "memory");
}

// 2^x; 0 for minus infinity.
static __device__ __forceinline__ float exponential2(float x)
{
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// Over the four lanes that hold one row of a product.
static __device__ __forceinline__ float quadMaximum(float x)
{
    x = fmaxf(x, __shfl_xor_sync(AllLanes, x, 1));
    return fmaxf(x, __shfl_xor_sync(AllLanes, x, 2));
}

static __device__ __forceinline__ float quadSum(float x)
{
    x += __shfl_xor_sync(AllLanes, x, 1);
    return x + __shfl_xor_sync(AllLanes, x, 2);
}

// Lets the kernel after this one begin where multiprocessors are free, once all thread blocks of this one came here or ended. It is promised nothing of what this one writes: what it
// needs, it must wait for. Before Hopper it begins at the end.
static __device__ __forceinline__ void startNextKernel()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" : : : "memory");
#endif
}

// Sets a flag that is read by isPublished: who finds it set finds what this thread, and those that it was synchronised with, wrote before.
static __device__ __forceinline__ void publish(int* flag)
{
    asm volatile("st.release.gpu.s32 [%0], 1;" : : "l"(flag) : "memory");
}

static __device__ __forceinline__ bool isPublished(const int* flag)
{
    int state;
    asm volatile("ld.acquire.gpu.s32 %0, [%1];" : "=r"(state) : "l"(flag) : "memory");
    return state != 0;
}

// A clock of the whole device.
static __device__ __forceinline__ unsigned long long nanoseconds()
{
    unsigned long long result;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(result));
    return result;
}
