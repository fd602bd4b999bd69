// Prints, when a process ends, how often each kernel ran there in each grid, and the median and least microseconds, by CUPTI's activity records. Launches take longer meanwhile.
//   cuda=/usr/local/cuda/targets/x86_64-linux
//   g++ -O1 -shared -fPIC -std=c++17 -DKERNEL=CUpti_ActivityKernel10 -I$cuda/include kernel_times.cpp -o /tmp/kernel_times.so $cuda/lib/libcupti.so     (KERNEL: the latest of cupti_activity.h)
//   LD_LIBRARY_PATH=$cuda/lib CUDA_INJECTION64_PATH=/tmp/kernel_times.so sparsefrontier kernels measure VerticalSlash --device cuda:0 ...
#include <cupti.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

static std::map<std::string, std::vector<double>> times;
static std::mutex gate;

static void requested(uint8_t** buffer, size_t* size, size_t* records)
{
    *size = 1 << 20;
    *buffer = (uint8_t*)aligned_alloc(8, *size);
    *records = 0;
}

static void completed(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid)
{
    CUpti_Activity* record = nullptr;
    std::lock_guard<std::mutex> lock(gate);
    while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS)
    {
        if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)
        {
            auto* kernel = (KERNEL*)record;
            char grid[64];
            snprintf(grid, 64, " (%d,%d,%d)", kernel->gridX, kernel->gridY, kernel->gridZ);
            times[std::string(kernel->name) + grid].push_back((kernel->end - kernel->start) / 1000.0);
        }
    }

    free(buffer);
}

static void finish()
{
    cuptiActivityFlushAll(1);
    for (auto& [name, values] : times)
    {
        std::sort(values.begin(), values.end());
        fprintf(stderr, "KERNEL %-60s %4zu median %9.1f us min %9.1f\n", name.c_str(), values.size(), values[values.size() / 2], values[0]);
    }
}

extern "C" int InitializeInjection()
{
    cuptiActivityRegisterCallbacks(requested, completed);
    cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    atexit(finish);
    return 1;
}
