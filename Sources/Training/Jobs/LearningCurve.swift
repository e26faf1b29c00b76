import Foundation
import Kernels

/// Validation figures of a training by seconds and by targets, so that a change is judged by time to quality.
public struct LearningCurve: Sendable, Equatable {
    /// One validation.
    public struct Point: Sendable, Equatable {
        /// Training time until then, validations included.
        public var seconds: Double
        /// Targets learnt from until then.
        public var targets: Int
        /// Optimiser steps until then.
        public var step: Int
        /// HR@20 of the validation part.
        public var hitRate: Double
        /// MRR@20 of the validation part.
        public var reciprocalRank: Double

        /// A validation's figures.
        public init(seconds: Double, targets: Int, step: Int, hitRate: Double, reciprocalRank: Double) {
            self.seconds = seconds
            self.targets = targets
            self.step = step
            self.hitRate = hitRate
            self.reciprocalRank = reciprocalRank
        }
    }

    /// The name in a plot's legend.
    public var name: String
    /// The validations, oldest first.
    public var points: [Point]

    /// The curve of a training.
    public init(name: String, progress: TrainingProgress) {
        self.name = name
        points = progress.history.map { interval in
            Point(
                seconds: interval.seconds,
                targets: interval.targets,
                step: interval.step,
                hitRate: interval.metrics["hr@20"] ?? 0,
                reciprocalRank: interval.metrics["mrr@20"] ?? 0
            )
        }
    }

    /// The columns of a file.
    private static let header = "seconds,targets,step,hr@20,mrr@20"

    /// The curve as CSV, with the columns seconds, targets, step, hr@20 and mrr@20.
    public var csv: String {
        points.reduce(into: Self.header + "\n") { text, point in
            text += String(
                format: "%.2f,%d,%d,%.5f,%.5f\n",
                point.seconds,
                point.targets,
                point.step,
                point.hitRate,
                point.reciprocalRank
            )
        }
    }

    /// Writes ``csv`` to a file, atomically.
    public func write(to path: String) throws { try DurableFile.write(Data(csv.utf8), to: path) }

    /// Reads a file that ``write(to:)`` wrote.
    ///
    /// - Throws: ``LearningCurveError`` with the line.
    public init(contentsOf path: String) throws(LearningCurveError) {
        guard let data = FileManager.default.contents(atPath: path) else { throw .unreadable(path) }
        let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard lines.first.map(String.init) == Self.header else {
            throw .invalid(path, line: 1, expected: Self.header)
        }
        name = URL(filePath: path).deletingPathExtension().lastPathComponent
        points = []
        for (number, line) in lines.enumerated().dropFirst() {
            let fields = line.split(separator: ",").map(String.init)
            guard fields.count == 5, let seconds = Double(fields[0]), let targets = Int(fields[1]),
                let step = Int(fields[2]), let hitRate = Double(fields[3]), let rank = Double(fields[4])
            else { throw .invalid(path, line: number + 1, expected: "five numbers: " + Self.header) }
            points.append(
                Point(seconds: seconds, targets: targets, step: step, hitRate: hitRate, reciprocalRank: rank)
            )
        }
    }

    /// The best HR@20 within some seconds; nil before the first validation.
    public func best(within seconds: Double) -> Double? {
        points.filter { $0.seconds <= seconds }.map(\.hitRate).max()
    }

    /// Writes two charts of some curves to an SVG file: by seconds and by targets.
    public static func plot(_ curves: [LearningCurve], title: String, to path: String) throws {
        func chart(_ label: String, _ x: (Point) -> Double) -> Chart {
            Chart(
                title: "Validation HR@20 by \(label)",
                xLabel: label,
                yLabel: "HR@20",
                axis: .linear,
                series: curves.map { curve in
                    Chart.Series(name: curve.name, points: curve.points.map { Chart.Point(x: x($0), y: $0.hitRate) })
                }
            )
        }
        let charts = [chart("seconds", \.seconds), chart("thousand targets") { Double($0.targets) / 1000 }]
        try DurableFile.write(Data(Figure(title: title, charts: charts).svg.utf8), to: path)
    }
}

/// A learning curve that cannot be read.
public enum LearningCurveError: Error, Equatable, CustomStringConvertible {
    /// There is no readable file.
    case unreadable(String)
    /// A line that `dimerec bench learning` did not write.
    case invalid(String, line: Int, expected: String)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .unreadable(let path):
            "No readable file at '\(path)'; --against takes a file that `dimerec bench learning --out` wrote."
        case .invalid(let path, let line, let expected):
            "\(path):\(line): expected \(expected), as `dimerec bench learning --out` writes it."
        }
    }
}
