using DermKit.Studies;
using DermKit.Notebooks;
using System.CommandLine;

namespace DermKit.Cli;

/// <summary>kit doctor: what this machine has and lacks.</summary>
internal static class DoctorCommand
{
    internal static Command Create()
    {
        var command = new Command("doctor", "Looks at SDK, torch, device, memory, disk, data sets and notebook hosts; PASS, WARN or FAIL with the remedy on the line");
        command.SetAction(_ =>
        {
            bool failed = false;
            foreach (Check check in Doctor.Run())
            {
                Console.WriteLine(check);
                failed |= check.Status == CheckStatus.Fail;
            }
            return failed ? 1 : 0;
        });
        return command;
    }
}
