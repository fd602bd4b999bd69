using SparseFrontier.Attention;
using Xunit;

namespace SparseFrontier.Tests.Attention;

public class BudgetScheduleTests
{
    [Fact]
    public void The_first_matching_rule_holds()
    {
        BudgetSchedule schedule = BudgetSchedule.Parse("layer:0-1 dense | head:3 length:4096- x0.5 | step:2 x4");
        Assert.Equal(double.PositiveInfinity, schedule.FactorAt(new BudgetPlace(1, 3, 8192, 2)));
        Assert.Equal(0.5, schedule.FactorAt(new BudgetPlace(2, 3, 4096, 2)));
        Assert.Equal(4, schedule.FactorAt(new BudgetPlace(2, 3, 4095, 2)));
        Assert.Equal(1, schedule.FactorAt(new BudgetPlace(2, 3, 4095, BudgetPlace.Prompt)));
    }

    [Fact]
    public void Dense_layers_are_one_rule()
    {
        Assert.Equal("layer:0-1,5 dense", BudgetSchedule.DenseLayers([5, 1, 0, 1]).ToString());
        Assert.True(BudgetSchedule.DenseLayers([]).IsUniform);
        Assert.True(BudgetSchedule.Parse(" ").IsUniform);
    }

    [Theory]
    [InlineData("layer:0")]
    [InlineData("layer:0- x0")]
    [InlineData("layer:3-1 dense")]
    [InlineData("layer:1-2-3 dense")]
    [InlineData("layer:0 dense | ")]
    [InlineData("x-1")]
    [InlineData("xNaN")]
    [InlineData("banana")]
    public void What_cannot_be_read_is_refused(string text) =>
        Assert.Equal(ErrorIds.MethodParameterInvalid, Assert.Throws<SparseFrontierException>(() => BudgetSchedule.Parse(text)).ErrorId);
}
