import Kernels

/// How the process' descriptors are shared between the two planes and everything else.
///
/// Connections beyond the budget are refused with an answer, instead of waiting in the kernel for a descriptor.
package struct DescriptorBudget: Equatable {
    /// For the store, logs, event loops, and connections that are being refused.
    package static let reserve = 128

    /// The most connections of the data plane.
    package let dataConnections: Int
    /// The most connections of the control plane.
    package let controlConnections: Int

    /// Shares the descriptors of a process.
    ///
    /// - Parameters:
    ///   - configuration: How many connections each plane is to have.
    ///   - limit: How many descriptors the process may open.
    package init(_ configuration: ServerConfiguration, limit: Int) {
        let available = max(2, limit - Self.reserve)
        controlConnections = max(1, min(configuration.controlMaxConnections, available / 4))
        dataConnections = max(1, min(configuration.maxConnections, available - controlConnections))
    }

    /// What the limit takes from the settings, or nil when it is high enough.
    package func shortage(of configuration: ServerConfiguration, limit: Int) -> String? {
        guard dataConnections < configuration.maxConnections || controlConnections < configuration.controlMaxConnections
        else { return nil }
        let wanted = configuration.maxConnections + configuration.controlMaxConnections + Self.reserve
        return "The process may open \(limit) files, so \(dataConnections) connections of the data plane and "
            + "\(controlConnections) of the control plane are allowed, not MAX_CONNECTIONS \(configuration.maxConnections) "
            + "and CONTROL_MAX_CONNECTIONS \(configuration.controlMaxConnections); raise the limit to \(wanted)."
    }
}
