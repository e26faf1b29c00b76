import Foundation

/// How `mpirun` started this process, by the variables that Open MPI gives to it.
package struct Launch: Equatable {
    /// The number of processes of the launch.
    package var processes: Int
    /// The number of them on this machine.
    package var processesHere: Int
    /// The number of this process among those of the machine, from 0.
    package var placeHere: Int

    /// The launch of this process; nil when `mpirun` did not start it.
    static func current() throws(LaunchError) -> Launch? { try Launch(ProcessInfo.processInfo.environment) }

    /// The launch that environment variables describe; nil when they describe none.
    ///
    /// - Throws: ``LaunchError/badVariable(name:value:)``.
    package init?(_ environment: [String: String]) throws(LaunchError) {
        func number(_ name: String, _ least: Int) throws(LaunchError) -> Int? {
            guard let text = environment[name] else { return nil }
            guard let value = Int(text), least <= value else { throw .badVariable(name: name, value: text) }
            return value
        }
        guard let processes = try number("OMPI_COMM_WORLD_SIZE", 1) else { return nil }
        self.processes = processes
        processesHere = try number("OMPI_COMM_WORLD_LOCAL_SIZE", 1) ?? 1
        placeHere = try number("OMPI_COMM_WORLD_LOCAL_RANK", 0) ?? 0
        guard placeHere < processesHere else {
            throw .badVariable(name: "OMPI_COMM_WORLD_LOCAL_RANK", value: "\(placeHere)")
        }
    }
}

/// Why processes that `mpirun` started cannot work together.
public enum LaunchError: Error, Equatable, CustomStringConvertible {
    /// This program was built without MPI.
    case withoutMPI(processes: Int)
    /// MPI connects another number of processes than `mpirun` said.
    case otherSize(launched: Int, connected: Int)
    /// A variable of Open MPI is not a number in its range.
    case badVariable(name: String, value: String)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .withoutMPI(let processes):
            "mpirun started \(processes) processes, but this build of dimerec has no MPI, so each would train alone into "
                + "the same store. Build it with `swift build -c release --traits MPI`, or start it without mpirun."
        case .otherSize(let launched, let connected):
            "mpirun started \(launched) processes, but MPI connects \(connected). Start dimerec with the mpirun of the "
                + "Open MPI that it was built with."
        case .badVariable(let name, let value):
            "The environment variable \(name) is '\(value)', which no mpirun sets; unset it, or start dimerec by mpirun."
        }
    }
}
