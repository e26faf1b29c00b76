import Dispatch
import Foundation
import Synchronization

/// Turns Ctrl-C and termination into a flag that long work asks about; a second signal ends the process at once.
final class Interruption: Sendable {
    private let isRaised = Atomic(false)
    private let sources = Mutex<[any DispatchSourceSignal]>([])

    /// Starts listening.
    init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in
                guard let self else { return }
                if isRaised.exchange(true, ordering: .relaxed) { exit(130) }
                Terminal.write("\nstopping after this step; once more to stop at once\n")
            }
            source.resume()
            sources.withLock { $0.append(source) }
        }
    }

    /// Whether someone asked to stop.
    var wasRequested: Bool { isRaised.load(ordering: .relaxed) }
}
