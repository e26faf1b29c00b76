import Dispatch
import Foundation
import Synchronization

/// Handles signals of a running service while this value exists.
///
/// The first SIGTERM or SIGINT stops the service gracefully, the second at once. SIGHUP reloads. SIGPIPE and SIGUSR1
/// are ignored. The handlers run on a queue that no request uses, so a busy service reacts too.
struct ServeSignals {
    private final class Flag: Sendable {
        let isRaised = Atomic(false)
    }

    private let sources: [any DispatchSourceSignal]

    /// Starts listening.
    ///
    /// - Parameters:
    ///   - stop: Called at the first SIGTERM or SIGINT.
    ///   - reload: Called at each SIGHUP.
    ///   - abandon: Called at the second SIGTERM or SIGINT, right before the process ends with 128 and the signal's number.
    init(
        stop: @escaping @Sendable () -> Void,
        reload: @escaping @Sendable () -> Void,
        abandon: @escaping @Sendable () -> Void
    ) {
        for number in [SIGPIPE, SIGUSR1] { signal(number, SIG_IGN) }
        let queue = DispatchQueue(label: "signals", qos: .userInteractive)
        let isStopping = Flag()
        let end: @Sendable (Int32) -> Void = { number in
            guard isStopping.isRaised.exchange(true, ordering: .relaxed) else { return stop() }
            abandon()
            _exit(128 + number)
        }
        let actions: [(Int32, @Sendable () -> Void)] = [
            (SIGTERM, { end(SIGTERM) }), (SIGINT, { end(SIGINT) }), (SIGHUP, reload),
        ]
        sources = actions.map { number, action in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler(handler: action)
            source.resume()
            return source
        }
    }
}
