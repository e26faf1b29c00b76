import Foundation
import Testing
import Training

extension Markup {
    /// Ticks of a class by their label, with their coordinate along `axis`.
    func ticks(_ style: String, _ axis: String) -> [(value: Double, place: Double)] {
        elements.filter { $0.attributes["class"] == style }.compactMap { element in
            guard let value = Double(element.text.trimmingCharacters(in: .whitespacesAndNewlines)),
                let place = element.attributes[axis].flatMap(Double.init)
            else { return nil }
            return (value, place)
        }
    }

    /// A numeric attribute of every element of a name, in drawing order.
    func numbers(_ element: String, _ attribute: String) -> [Double] {
        elements.filter { $0.name == element }.compactMap { $0.attributes[attribute].flatMap(Double.init) }
    }
}

@Suite("Chart") struct ChartTests {
    /// The coordinate of a value according to the ticks.
    private func place(_ value: Double, _ ticks: [(value: Double, place: Double)], by map: (Double) -> Double = { $0 })
        throws -> Double
    {
        let (first, last) = (try #require(ticks.first), try #require(ticks.last))
        try #require(first.value != last.value)
        let share = (map(value) - map(first.value)) / (map(last.value) - map(first.value))
        return first.place + share * (last.place - first.place)
    }

    private func expectPlaces(_ found: [Double], _ expected: [Double]) {
        #expect(found.count == expected.count)
        for (found, expected) in zip(found, expected) { #expect(abs(found - expected) < 0.03) }
    }

    private func drawing(_ axis: Chart.Axis, _ series: [Chart.Series]) throws -> Markup {
        let chart = Chart(
            title: "a < b & c <\u{301} &\u{301}",
            xLabel: "x",
            yLabel: "\"y\"",
            axis: axis,
            series: series
        )
        return try #require(Markup(Figure(title: "1 < 2", charts: [chart]).svg))
    }

    @Test("a line's points agree with the ticks", arguments: [false, true])
    func lines(isLogarithmic: Bool) throws {
        let points = [(1.0, 0.2), (10, 31), (55, 12.5), (100, 47)].map { Chart.Point(x: $0.0, y: $0.1, deviation: 1.5) }
        let drawing = try drawing(isLogarithmic ? .logarithmic : .linear, [Chart.Series(name: "s", points: points)])
        let (xTicks, yTicks) = (drawing.ticks("x-tick", "x"), drawing.ticks("y-tick", "y"))
        let map: (Double) -> Double = isLogarithmic ? { log10($0) } : { $0 }
        expectPlaces(drawing.numbers("circle", "cx"), try points.map { try place($0.x, xTicks, by: map) })
        expectPlaces(drawing.numbers("circle", "cy"), try points.map { try place($0.y, yTicks) })
        // Error bars go one deviation down and up.
        let bars = drawing.elements.filter { $0.attributes["class"] == "error" }.map { $0.attributes["d"] ?? "" }
        #expect(bars.count == 4)
        for (bar, point) in zip(bars, points) {
            let ends = bar.split { "MVh ".contains($0) }.compactMap { Double($0) }
            let expected = [try place(point.y - 1.5, yTicks), try place(point.y + 1.5, yTicks)]
            expectPlaces([ends[1], ends[2]], expected)
        }
        // Every point is within the ticks' range.
        #expect(yTicks.map(\.value).min() ?? 9 <= 0.2 - 1.5 && yTicks.map(\.value).max() ?? 0 >= 48.5)
    }

    @Test("a logarithmic axis leaves out points at 0 or below")
    func logarithmOfNothing() throws {
        let points = [-1.0, 0, Double.leastNonzeroMagnitude, 0.1, 10].map { Chart.Point(x: $0, y: 2) }
        let series = [
            Chart.Series(name: "s", points: points), Chart.Series(name: "absent", points: [Chart.Point(x: 0, y: 1)]),
        ]
        let drawing = try drawing(.logarithmic, series)
        let places = drawing.numbers("circle", "cx")
        #expect(places.count == 3 && places == places.sorted() && places.allSatisfy { $0.isFinite })
        #expect(!drawing.elements.contains { $0.text.contains("absent") })
    }

    @Test("bars start at zero, are side by side in their group, and are as high as their value")
    func bars() throws {
        let series = [
            Chart.Series(name: "first", points: [Chart.Point(x: 0, y: 10), Chart.Point(x: 1, y: 20)]),
            Chart.Series(name: "second", points: [Chart.Point(x: 0, y: 5), Chart.Point(x: 1, y: 40)]),
        ]
        let drawing = try drawing(.names(["full", "w/o <x>"]), series)
        let bars = drawing.elements.filter { $0.attributes["class"] == "bar" }.map(\.attributes)
        let yTicks = drawing.ticks("y-tick", "y")
        let zero = try #require(yTicks.first { $0.value == 0 }).place
        for (bar, value) in zip(bars, [10.0, 20, 5, 40]) {
            let (y, height) = (Double(bar["y"] ?? "") ?? 0, Double(bar["height"] ?? "") ?? 0)
            expectPlaces([y, y + height], [try place(value, yTicks), zero])
        }
        let lefts = bars.compactMap { $0["x"].flatMap(Double.init) }
        let names = drawing.elements.filter { $0.attributes["class"] == "x-tick" }
        let centres = names.compactMap { $0.attributes["x"].flatMap(Double.init) }
        #expect(names.map { $0.text.trimmingCharacters(in: .whitespacesAndNewlines) } == ["full", "w/o <x>"])
        // A name is where its group's first bar ends and the second begins.
        expectPlaces([lefts[2], lefts[3]], centres)
        #expect(lefts[0] < lefts[2] && lefts[2] < lefts[1] && lefts[1] < lefts[3])
    }

    @Test("one point, equal values, or no points give a valid document")
    func degenerate() throws {
        for axis in [Chart.Axis.linear, .logarithmic, .names(["a"])] {
            for points in [[], [Chart.Point(x: 1, y: 0)], [Chart.Point(x: 1, y: 3), Chart.Point(x: 1, y: 3)]] {
                let drawing = try drawing(axis, [Chart.Series(name: "s", points: points)])
                let numbers = drawing.numbers("circle", "cy") + drawing.numbers("rect", "y")
                #expect(numbers.allSatisfy { $0.isFinite })
            }
        }
    }

    @Test("numbers whose range exceeds a Double give a document too", arguments: [Chart.Axis.linear, .logarithmic])
    func extremes(axis: Chart.Axis) throws {
        let points = [-1, 1].map { Chart.Point(x: $0 > 0 ? .greatestFiniteMagnitude : 1, y: $0 * 1e308) }
        #expect(try drawing(axis, [Chart.Series(name: "s", points: points)]).ticks("y-tick", "y").count == 2)
    }

    @Test("empty names have no label, and a series without a name no place in the legend")
    func unlabelled() throws {
        let points = (0..<40).map { Chart.Point(x: Double($0), y: 1) }
        let names = (0..<40).map { $0 % 10 == 0 ? "2024-01-01" : "" }
        let drawing = try drawing(.names(names), [Chart.Series(name: "", points: points)])
        let ticks = drawing.elements.filter { $0.attributes["class"] == "x-tick" }
        #expect(ticks.count == 4 && ticks.allSatisfy { $0.attributes["transform"] == nil })
        #expect(drawing.elements.count { $0.attributes["class"] == "bar" } == 40)
        #expect(!drawing.elements.contains { $0.attributes["class"] == "legend" })
    }
}
