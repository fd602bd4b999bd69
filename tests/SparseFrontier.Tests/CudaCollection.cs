using Xunit;

namespace SparseFrontier.Tests;

/// <summary>
/// Tests that may use a GPU, one after the other: a device belongs to one thread at a time, and some of these tests count its memory or take nearly all of it.
/// </summary>
[CollectionDefinition(Name)]
public sealed class CudaCollection
{
    public const string Name = "Cuda";
}
