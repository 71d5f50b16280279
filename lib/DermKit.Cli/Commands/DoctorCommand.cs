namespace DermKit.Cli;

internal static class DoctorCommand
{
    internal static Command Create()
    {
        var command = new Command("doctor", "Checks SDK, torch, device, memory, disk, data sets and notebook hosts; "
            + "prints PASS, WARN or FAIL with the remedy");
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
