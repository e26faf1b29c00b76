/// Writes metric families and their samples as text.
struct Exposition {
    private(set) var text = ""
    private var name = ""

    /// Starts a family; the samples that follow are its own.
    mutating func family(_ family: MetricFamily) {
        name = family.rawValue
        text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind.rawValue)\n"
    }

    mutating func sample(_ labels: [(name: String, value: String)], _ value: String, suffix: String = "") {
        text += name + suffix
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    mutating func histogram(
        _ labels: [(name: String, value: String)],
        _ histogram: HistogramCells,
        _ totals: [UInt64]
    ) {
        self.histogram(
            labels,
            bounds: histogram.bounds.map { Double($0) / 1e9 },
            counts: histogram.buckets.map { totals[$0] },
            sum: Double(totals[histogram.sum]) / 1e9
        )
    }

    /// Writes a histogram from counts, one more than bounds; the last count is for values above every bound.
    mutating func histogram(
        _ labels: [(name: String, value: String)],
        bounds: [Double],
        counts: [UInt64],
        sum: Double
    ) {
        var count: UInt64 = 0
        for (position, bucket) in counts.enumerated() {
            count += bucket
            let bound = position < bounds.count ? "\(bounds[position])" : "+Inf"
            sample(labels + [("le", bound)], "\(count)", suffix: "_bucket")
        }
        sample(labels, "\(sum)", suffix: "_sum")
        sample(labels, "\(count)", suffix: "_count")
    }

    private static func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }
}
