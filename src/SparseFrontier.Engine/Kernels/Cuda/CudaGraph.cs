namespace SparseFrontier.Kernels.Cuda;

/// <summary>Work that was recorded once and is given to the device as a whole, again and again, with the arguments that it was recorded with.</summary>
internal sealed class CudaGraph : CudaHandle
{
    // Calls that cannot be recorded fail on the recording thread alone.
    private const int ThisThread = 1;

    private CudaGraph(CudaDevice device, nint value)
        : base(device, value)
    {
    }

    /// <summary>Records launches and copies within the device; none of it runs. The work must neither allocate, nor wait, nor copy from or to the host.</summary>
    public static CudaGraph Record(CudaDevice device, Action work)
    {
        using CudaDevice.Scope scope = device.Enter();
        CudaException.Check(CudaDriver.cuStreamBeginCapture(device.Stream, ThisThread), "cuStreamBeginCapture");
        nint graph;
        device.IsRecording = true;
        try
        {
            work();
            device.IsRecording = false;
        }
        catch
        {
            device.IsRecording = false;

            // What went wrong is told, not what the driver says of a recording that was broken off.
            if (CudaDriver.cuStreamEndCapture(device.Stream, out graph) == 0 && graph != 0)
            {
                _ = CudaDriver.cuGraphDestroy(graph);
            }

            throw;
        }

        CudaException.Check(CudaDriver.cuStreamEndCapture(device.Stream, out graph), "cuStreamEndCapture");
        try
        {
            int code = CudaDriver.cuGraphInstantiateWithFlags(out nint value, graph, 0);
            if (device.MakesRoom(code))
            {
                code = CudaDriver.cuGraphInstantiateWithFlags(out value, graph, 0);
            }

            CudaException.Check(code, "cuGraphInstantiateWithFlags");
            return new CudaGraph(device, value);
        }
        finally
        {
            _ = CudaDriver.cuGraphDestroy(graph);
        }
    }

    /// <summary>Gives the work to the device; it runs after all work given before.</summary>
    public void Launch()
    {
        using CudaDevice.Scope scope = Device.Enter();
        int code = CudaDriver.cuGraphLaunch(Value, Device.Stream);
        if (Device.MakesRoom(code))
        {
            code = CudaDriver.cuGraphLaunch(Value, Device.Stream);
        }

        CudaException.Check(code, "cuGraphLaunch");
    }

    /// <inheritdoc/>
    protected override int Free(nint value) => CudaDriver.cuGraphExecDestroy(value);
}
