public import Kernels

/// The source of the requests' histories.
public enum HistorySource: Sendable {
    /// Synthetic histories: uniform integer ids `0..<items`.
    case synthetic(items: Int)
    /// Recorded sequences, oldest first; row values are positions in `ids`.
    ///
    /// Every event is equally likely to be the newest of a history. So long sequences weigh more, as in real traffic.
    case recorded(sequences: RaggedRows, ids: [String])

    /// The ids of one history, as JSON values: integers if synthetic, strings if recorded.
    ///
    /// - Parameters:
    ///   - number: The history's number; the same number, lengths and seed give the same history.
    ///   - lengths: The number of ids. A recorded sequence gives fewer if it has fewer events up to the drawn one.
    ///   - random: The generator.
    /// - Returns: JSON values, oldest first.
    func history(_ number: Int, lengths: ClosedRange<Int>, random: CounterBasedGenerator) -> [String] {
        let (shape, content) = (UInt64(number) << 1, UInt64(number) << 1 | 1)
        let length = lengths.lowerBound + Int(random.integers(below: lengths.count, stream: shape, count: 1)[0])
        switch self {
        case .synthetic(let items):
            return random.integers(below: items, stream: content, count: length).map { "\($0)" }
        case .recorded(let sequences, let ids):
            let newest = Int(random.integers(below: sequences.ids.count, stream: content, count: 1)[0])
            // The event's sequence starts at the last offset that is not after the event.
            var (low, high) = (0, sequences.count)
            while high - low > 1 {
                let middle = (low + high) / 2
                if sequences.offsets[middle] <= newest { low = middle } else { high = middle }
            }
            let oldest = max(sequences.offsets[low], newest + 1 - length)
            return sequences.ids[oldest..<newest + 1].map { Self.quoted(ids[Int($0)]) }
        }
    }

    /// A string as JSON (RFC 8259, section 7).
    static func quoted(_ text: String) -> String {
        var json = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": json += "\\\(scalar)"
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: json.unicodeScalars.append(scalar)
            }
        }
        return json + "\""
    }
}
