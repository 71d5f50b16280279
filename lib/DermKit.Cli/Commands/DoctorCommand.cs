namespace DermKit.Cli;

internal static class DoctorCommand
{
    internal static Command Create() => new Command("doctor", "Checks SDK, torch, device, memory, disk, data sets and "
        + "notebook hosts; prints PASS, WARN or FAIL with the remedy").Runs((_, _) =>
        {
            bool failed = false;
            foreach (Check check in Doctor.Run())
            {
                Console.WriteLine(check);
                failed |= check.Status == CheckStatus.Fail;
            }
            return failed ? 1 : 0;
        });
}
