Console.WriteLine(TorchSharp.torch.rand(3).sum().item<float>() >= 0 ? "torch works" : "torch is broken");
