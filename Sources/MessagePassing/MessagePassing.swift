import Kernels
public import Training

/// The processes that `mpirun` started together.
public enum MessagePassing {
    /// Connects the processes of the launch; call it once, on the thread that trains.
    ///
    /// - Returns: The connection to the other processes; a single process needs none.
    /// - Throws: ``LaunchError``.
    public static func connect() throws(LaunchError) -> any Communicator {
        guard let launch = try Launch.current(), launch.processes > 1 else { return SingleProcess() }
        #if MPI
        return try OpenMPI(launch)
        #else
        throw .withoutMPI(processes: launch.processes)
        #endif
    }

    /// Ends the connection, after the last message; waits for all processes.
    public static func disconnect(_ communicator: any Communicator) {
        #if MPI
        (communicator as? OpenMPI)?.end()
        #endif
    }

    /// Restarts this process on its share of the machine's cores, if several processes were started on the machine.
    ///
    /// Call it before everything else. It leaves a process alone that `mpirun` has bound to some of the cores.
    public static func takeShareOfCores() {
        #if MPI
        guard let launch = try? Launch.current(), launch.processesHere > 1 else { return }
        CPU.restart(onShare: launch.placeHere, of: launch.processesHere)
        #endif
    }
}
