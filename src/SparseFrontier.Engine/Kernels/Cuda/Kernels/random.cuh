// RandomSource (xoshiro256**) on the device: the same numbers from the same state.
#pragma once

struct RandomState
{
    unsigned long long s0, s1, s2, s3;
};

// The next of RandomSource.NextDouble, as a float.
static __device__ __forceinline__ float nextNumber(RandomState& state)
{
    unsigned long long product = state.s1 * 5;
    unsigned long long number = ((product << 7) | (product >> 57)) * 9;
    unsigned long long shifted = state.s1 << 17;
    state.s2 ^= state.s0;
    state.s3 ^= state.s1;
    state.s1 ^= state.s2;
    state.s0 ^= state.s3;
    state.s2 ^= shifted;
    state.s3 = (state.s3 << 45) | (state.s3 >> 19);
    return static_cast<float>(static_cast<double>(number >> 11) * (1.0 / 9007199254740992.0));
}

static __device__ __forceinline__ unsigned long long mix(unsigned long long value)
{
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
    return value ^ (value >> 31);
}

// As RandomSource.At.
static __device__ __forceinline__ RandomState streamAt(const RandomState& state, long long index)
{
    const unsigned long long golden = 0x9E3779B97F4A7C15ull;
    unsigned long long seed = state.s0 + static_cast<unsigned long long>(index) * 0xD1342543DE82EF95ull;
    RandomState result;
    result.s0 = state.s0 ^ mix(seed + golden);
    result.s1 = state.s1 ^ mix(seed + 2 * golden);
    result.s2 = state.s2 ^ mix(seed + 3 * golden);
    result.s3 = (state.s3 ^ mix(seed + 4 * golden)) | 1;
    return result;
}
