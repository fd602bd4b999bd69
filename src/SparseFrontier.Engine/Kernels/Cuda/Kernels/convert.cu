// Between float32 and the 16-bit type that the kernels store, rounding to nearest even. Memory-bound.
//
// Constants: TYPE.
#include "ptx.cuh"

// Rows of `width` floats to rows of `padded` elements: the rest of a row is 0.
extern "C" __global__ void narrow(const float* source, Element* target, long long rows, int width, int padded)
{
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < rows * padded; i += (long long)gridDim.x * blockDim.x)
    {
        long long row = i / padded;
        int column = static_cast<int>(i % padded);
        target[i] = static_cast<Element>(pack(column < width ? source[row * width + column] : 0, 0) & 0xffff);
    }
}

extern "C" __global__ void expand(const Element* source, float* target, long long rows, int width, int padded)
{
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < rows * width; i += (long long)gridDim.x * blockDim.x)
    {
        target[i] = widen(source[i / width * padded + i % width]);
    }
}
