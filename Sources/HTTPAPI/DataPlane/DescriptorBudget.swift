import Kernels

/// Divides the process' file descriptors between the two planes and everything else.
///
/// The service refuses connections above the budget with an answer. Otherwise they would wait in the kernel for a
/// descriptor.
package struct DescriptorBudget: Equatable {
    /// Descriptors for the store, logs, event loops, and connections that are being refused.
    package static let reserve = 128
    /// The fewest descriptors with which the service starts.
    package static let least = 192

    /// The most connections of the data plane.
    package let dataConnections: Int
    /// The most connections of the control plane.
    package let controlConnections: Int

    /// Divides the descriptors of a process.
    ///
    /// - Parameters:
    ///   - configuration: The wanted connections of each plane.
    ///   - limit: How many descriptors the process may open.
    package init(_ configuration: ServerConfiguration, limit: Int) {
        let available = max(2, limit - Self.reserve)
        controlConnections = max(1, min(configuration.controlMaxConnections, available / 4))
        dataConnections = max(1, min(configuration.maxConnections, available - controlConnections))
    }

    /// A warning if the limit is too low for the settings; otherwise nil.
    package func shortage(of configuration: ServerConfiguration, limit: Int) -> String? {
        guard dataConnections < configuration.maxConnections || controlConnections < configuration.controlMaxConnections
        else { return nil }
        let wanted = configuration.maxConnections + configuration.controlMaxConnections + Self.reserve
        return "The process may open \(limit) files, which allows \(dataConnections) connections of the data plane and "
            + "\(controlConnections) of the control plane instead of MAX_CONNECTIONS \(configuration.maxConnections) "
            + "and CONTROL_MAX_CONNECTIONS \(configuration.controlMaxConnections); raise the limit to \(wanted)."
    }
}
