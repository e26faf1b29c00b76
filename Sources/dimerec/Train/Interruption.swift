import Dispatch
import Foundation
import Synchronization

/// Turns SIGINT and SIGTERM into a flag that long work checks; a second signal ends the process at once.
struct Interruption {
    private final class Flag: Sendable {
        let isRaised = Atomic(false)
    }

    private let flag = Flag()
    private let sources: [any DispatchSourceSignal]

    /// Starts listening.
    ///
    /// - Parameter isAnnounced: Whether to tell the user about the first signal.
    init(isAnnounced: Bool = true) {
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        for source in sources {
            source.setEventHandler { [flag] in
                if flag.isRaised.exchange(true, ordering: .relaxed) { exit(130) }
                guard isAnnounced else { return }
                Terminal.write("\nstopping after this step; send the signal again to stop at once\n")
            }
            source.resume()
        }
    }

    /// Whether a stop was requested.
    var wasRequested: Bool { flag.isRaised.load(ordering: .relaxed) }

    /// The same check as a function for any thread.
    var question: @Sendable () -> Bool { { [flag] in flag.isRaised.load(ordering: .relaxed) } }
}
