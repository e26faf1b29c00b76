import Foundation

/// The report as topics, the same for text and for a page.
extension LogReport {
    var sections: [ReportSection] {
        var sections = [
            ReportSection(title: "What to know", blocks: [.list(findings)]),
            size, valueSection, lengthSection, popularitySection, repeatSection, timeSection, activitySection,
            duplicateSection, suspectSection,
        ]
        if case .success(let outlook) = training { sections += outlook.sections(file: file, lengths: lengths) }
        return sections.filter { !$0.blocks.isEmpty }
    }

    private var size: ReportSection {
        var blocks: [ReportSection.Block] = [
            .facts([
                ("users", NumberText.grouped(users)), ("items", NumberText.grouped(items)),
                ("events", NumberText.grouped(events)),
                ("events a user", NumberText.short(Self.rounded(Double(events) / Double(users)))),
                ("events an item", NumberText.short(Self.rounded(Double(events) / Double(items)))),
            ])
        ]
        if !notes.isEmpty { blocks.append(.list(notes.map(\.printableLine))) }
        return ReportSection(title: "Size", blocks: blocks)
    }

    private var valueSection: ReportSection {
        func table(_ name: String, _ counts: [EventValues.Count]) -> [ReportSection.Block] {
            guard counts.count > 1 else { return [] }
            let rows = counts.prefix(20).map { count in
                [
                    count.value.printable, NumberText.grouped(count.events),
                    NumberText.percent(Double(share: count.events, of: events)),
                ]
            }
            return [.table(ReportTable([name, "events", "share"], numbers: ["events", "share"], rows: rows))]
        }
        let blocks = table("kind of event", values.kinds) + table("rating", values.ratings)
        return ReportSection(title: "Kinds of events and ratings", blocks: blocks)
    }

    private var lengthSection: ReportSection {
        let events = lengths.events
        func value(_ number: Double) -> String { NumberText.grouped(Int(number)) }
        return ReportSection(
            title: "Events of a user",
            blocks: [
                .facts([
                    ("fewest", value(events.least)), ("a quarter has at most", value(events.lowerQuartile)),
                    ("half have at most", value(events.median)),
                    ("three quarters have at most", value(events.upperQuartile)),
                    ("nine in ten have at most", value(events.ninthDecile)), ("most", value(events.most)),
                    ("users with a single event", Self.part(lengths.singleEventUsers, of: users)),
                ]),
                Self.bars("Users by number of events", "events of a user", "users", lengths.histogram),
            ]
        )
    }

    private var popularitySection: ReportSection {
        let curve = popularity.curve.map { Chart.Point(x: $0.items * 100, y: $0.events * 100) }
        let hasTitles = popularity.top.contains { !$0.title.isEmpty }
        let rows = popularity.top.map { item in
            [item.id.printable] + (hasTitles ? [item.title.printable] : []) + [
                NumberText.grouped(item.events), NumberText.percent(Double(share: item.events, of: events)),
            ]
        }
        let names = ["item"] + (hasTitles ? ["title"] : []) + ["events", "share"]
        return ReportSection(
            title: "Popularity of items",
            blocks: [
                .facts(
                    [1, 10, 50].map {
                        ("events of the top \($0) % of the items", NumberText.percent(popularity.share(ofTop: $0)))
                    } + [("items with a single event", Self.part(popularity.itemsOnce, of: items))]
                ),
                .chart(
                    Chart(
                        title: "Popularity curve",
                        xLabel: "share of the items, the most popular first (%)",
                        yLabel: "share of the events (%)",
                        axis: .logarithmic,
                        series: [Chart.Series(name: "", points: curve)]
                    )
                ),
                .table(ReportTable(names, numbers: ["events", "share"], rows: rows)),
            ]
        )
    }

    private var repeatSection: ReportSection {
        ReportSection(
            title: "Repeats",
            blocks: [
                .facts([
                    ("events after a user's first", NumberText.grouped(repeats.targets)),
                    ("repeat an item of the user", NumberText.percent(repeats.repeatShare)),
                    ("repeat the user's last item", NumberText.percent(repeats.repeatOfLastShare)),
                ])
            ]
        )
    }

    private var timeSection: ReportSection {
        let scale = times.scale
        let unit = scale.isClock ? "a clock: \(scale.rawValue) since 1970, shown in UTC" : "ordinals or another count"
        let kind = times.hasColumn ? unit : "none; the order of the rows counts"
        var facts = [("times", kind), ("first", times.first), ("last", times.last)]
        if let gap = times.gapSeconds {
            let bounds = [
                ("a quarter", gap.lowerQuartile), ("half", gap.median), ("three quarters", gap.upperQuartile),
            ]
            let texts = bounds.map { "\($0) up to \(NumberText.duration($1))" }
            facts.append(("gaps between a user's different times", texts.joined(separator: ", ")))
        }
        facts.append(("same time as the user's event before", Self.part(times.ties, of: repeats.targets)))
        if times.oddTimes > 0 { facts.append(("times that do not fit", Self.part(times.oddTimes, of: events))) }
        var blocks: [ReportSection.Block] = [.facts(facts)]
        if !times.gaps.isEmpty {
            blocks.append(
                Self.bars("Gaps between events of a user", "gap to the event before", "events", times.gaps)
            )
        }
        return ReportSection(title: "Time", blocks: blocks)
    }

    private var activitySection: ReportSection {
        let step = activity.step
        let unit = step == .tenth ? "tenth of the rows, in the order of the file" : "\(step.rawValue), UTC"
        // Labels under at most six bars have room.
        let spacing = step == .tenth ? 1 : (activity.periods.count + 5) / 6
        func bars(_ title: String, _ label: String, _ value: (ActivityStatistics.Period) -> Int) -> ReportSection.Block
        {
            let periods = activity.periods
            let chart = Chart(
                title: title,
                xLabel: unit,
                yLabel: label,
                axis: .names(periods.enumerated().map { $0 % spacing == 0 ? $1.start : "" }),
                series: [
                    Chart.Series(
                        name: "",
                        points: periods.enumerated().map { Chart.Point(x: Double($0), y: Double(value($1))) }
                    )
                ]
            )
            return .chart(chart, range: periods.first.map { ($0.start, periods[periods.count - 1].start) })
        }
        return ReportSection(
            title: "Events and new items over time",
            blocks: [
                .facts([
                    ("period", "\(step.rawValue), \(activity.periods.count) in all"),
                    ("last tenth: events of new items", NumberText.percent(activity.newItemShareOfLastTenth)),
                ]),
                bars("Events by \(step.rawValue)", "events", \.events),
                bars("New items by \(step.rawValue)", "items", \.newItems),
            ]
        )
    }

    private var duplicateSection: ReportSection {
        var blocks: [ReportSection.Block] = [
            .facts([("same user, item and time as another row", Self.part(duplicates.rows, of: events))])
        ]
        if !times.hasColumn {
            blocks = [.text("Without a column of times, a duplicate cannot be told from a repeated event.")]
        }
        if !duplicates.examples.isEmpty {
            let rows = duplicates.examples.map { [$0.user.printable, $0.item.printable, $0.time, "\($0.rows)"] }
            blocks.append(.table(ReportTable(["user", "item", "time", "rows"], numbers: ["rows"], rows: rows)))
        }
        return ReportSection(title: "Duplicate rows", blocks: blocks)
    }

    private var suspectSection: ReportSection {
        var text =
            "A user is listed with more than \(NumberText.grouped(suspects.mostEvents)) events: ten times the number "
        text += "that nine in ten users do not exceed, and at least 100"
        if times.scale.isClock {
            text += ", or with more than \(SuspectStatistics.mostInOneHour) events at different times within one hour"
        }
        var blocks: [ReportSection.Block] = [
            .text(text + "."),
            .facts([
                ("users", Self.part(suspects.count, of: users)), ("events", Self.part(suspects.events, of: events)),
            ]),
        ]
        if !suspects.users.isEmpty {
            let rows = suspects.users.map { user in
                [user.id.printable, NumberText.grouped(user.events)]
                    + (user.busiestHour.map { [NumberText.grouped($0)] } ?? [])
            }
            let names = ["user", "events"] + (times.scale.isClock ? ["times in the busiest hour"] : [])
            blocks.append(.table(ReportTable(names, numbers: Set(names.dropFirst()), rows: rows)))
        }
        return ReportSection(title: "Users who may be scripts", blocks: blocks)
    }

    /// A count and its share of a whole.
    static func part(_ count: Int, of whole: Int) -> String {
        "\(NumberText.grouped(count)) (\(NumberText.percent(Double(share: count, of: whole))))"
    }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private static func bars(_ title: String, _ xLabel: String, _ yLabel: String, _ bins: [HistogramBin])
        -> ReportSection.Block
    {
        let points = bins.enumerated().map { Chart.Point(x: Double($0), y: Double($1.count)) }
        let chart = Chart(
            title: title,
            xLabel: xLabel,
            yLabel: yLabel,
            axis: .names(bins.map(\.range)),
            series: [Chart.Series(name: "", points: points)]
        )
        return .chart(chart, range: bins.first.map { ($0.range, bins[bins.count - 1].range) })
    }
}
