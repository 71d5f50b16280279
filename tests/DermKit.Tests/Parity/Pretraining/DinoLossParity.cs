using DermKit.Models;
using DermKit.Pretraining;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("dino_loss*.safetensors")]
public sealed class DinoLossParity
{
    public static TheoryData<string> Files => Fixtures.Named("dino_loss*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void LossGradientAndCentreAreDinos(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        double Number(string key) => config.GetProperty(key).GetDouble();
        double[] temperatures = Schedules.TeacherTemperature(Number("warmup_teacher_temp"), Number("teacher_temp"),
            (int)Number("nepochs"), (int)Number("warmup_teacher_temp_epochs"));
        Fixtures.Close(tensor(temperatures), file.Load("teacher_temp_schedule"), 1e-12, "teacher_temp_schedule");
        Tensor student = file.Load("student"), teacher = file.Load("teacher");
        using var loss = new DinoLoss((long)Number("out_dim"), Number("student_temp"), Number("center_momentum"));
        int[] epochs = [.. config.GetProperty("epoch_of_step").EnumerateArray().Select(e => e.GetInt32())];
        Assert.NotEmpty(epochs);
        for (int i = 0; i < epochs.Length; i++)
        {
            Tensor logits = student[i].clone().requires_grad_(),
                targets = loss.Targets(teacher[i], temperatures[epochs[i]]);
            Tensor value = loss.Loss(logits, targets);
            loss.UpdateCenter(teacher[i]);
            value.backward();
            Fixtures.Close(value, file.Load("loss")[i], 1e-5, $"loss of step {i}");
            Fixtures.Close(logits.grad!, file.Load("grad_student")[i], 1e-5, $"gradient of step {i}");
            Fixtures.Close(loss.Center, file.Load("center")[i], 1e-5, $"centre after step {i}");
        }
    }
}
