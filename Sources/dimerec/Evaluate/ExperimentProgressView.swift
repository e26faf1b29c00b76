import Foundation
import Training

/// Shows a grid on standard error: the current cell, its training, and an estimate of the remaining time.
struct ExperimentProgressView {
    private var training = TrainingProgressView()

    /// Writes an event.
    mutating func show(_ event: ExperimentRunner.Event) {
        switch event {
        case .started(let cell, let number, let count, let secondsLeft):
            training = TrainingProgressView()
            let left = secondsLeft.map { ", about \(TrainingProgressView.clock($0)) left" } ?? ""
            Terminal.write("cell \(number) of \(count): \(cell.variant.name), seed \(cell.seed)\(left)\n")
        case .training(let event): training.show(event)
        case .measuring: if Terminal.isInteractive { Terminal.write("\r\u{1B}[2Kevaluating") }
        case .finished(let result, let isStored):
            let start = Terminal.isInteractive ? "\r\u{1B}[2K" : ""
            Terminal.write(start + "  " + (isStored ? "kept: " : "done: ") + Self.summary(result) + "\n")
        }
    }

    private static func summary(_ result: CellResult) -> String {
        if let divergence = result.divergence { return divergence }
        let values = result.points.first?.values ?? result.progress.best
        let hits = [20, 50].compactMap { cutoff in
            values["hr@\(cutoff)"].map { "HR@\(cutoff) " + String(format: "%.4f", $0) }
        }
        return (result.points.isEmpty ? "validation " : "") + hits.joined(separator: "  ")
            + ", best of step \(result.progress.bestStep) of \(result.progress.step)"
    }
}
