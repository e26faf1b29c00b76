/// The documentation's page of all metrics, from the families that the program can write.
package enum MetricReference {
    /// The page.
    package static var markdown: String {
        let introduction = """
            # Metrics

            Every metric of `GET /metrics` on the control plane.

            ## Overview

            The text is version 0.0.4 of Prometheus' format. Times are seconds. Counters end in `_total`. No user or item is a
            label. A metric without a value yet, such as the age of a version when none is in service, is absent.
            `deploy/prometheus` has scrape configuration and alerts, `deploy/grafana` a dashboard. This page is what
            `dimerec reference metrics` prints.
            """
        let sections = MetricFamily.Subject.allCases.map { subject in
            let rows = MetricFamily.allCases.filter { $0.subject == subject }.map(row)
            let head = "## \(subject.rawValue)\n\n| metric | type | labels | meaning |\n| --- | --- | --- | --- |"
            return ([head] + rows).joined(separator: "\n")
        }
        return ([introduction] + sections).joined(separator: "\n\n")
    }

    private static func row(_ family: MetricFamily) -> String {
        let labels = family.labels.map { label in
            "`\(label.name)`"
                + (label.values.isEmpty ? "" : ": " + label.values.map { "`\($0)`" }.joined(separator: ", "))
        }
        let cells = ["`\(family.rawValue)`", family.kind.rawValue, labels.joined(separator: "; "), family.help]
        return "| " + cells.joined(separator: " | ") + " |"
    }
}
