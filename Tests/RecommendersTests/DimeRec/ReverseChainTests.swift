import Autodiff
import Foundation
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("Reverse chain") struct ReverseChainTests {
    private func model(
        _ kind: NoiseConfiguration.Kind,
        _ schedule: ScheduleConfiguration.Kind,
        _ scale: ReverseConfiguration.NoiseScale,
        dimension: Int = 64
    ) -> DimeRec {
        var configuration = DimeRecConfiguration()
        configuration.dimension = dimension
        configuration.noise.kind = kind
        configuration.noise.schedule.kind = schedule
        configuration.reverse.noiseScale = scale
        return DimeRec(configuration, parameters: .init())
    }

    /// Mean cosine to the true clean vector before each step, with that vector as the prediction.
    private func oracleCosines(_ model: DimeRec, rows: Int = 4000) -> [Int: Double] {
        let truth = normalMatrix(rows: 1, columns: 64, seed: 1).normalisedRows().unit
        let clean = truth.gatheringRows([Int32](repeating: 0, count: rows))
        var result: [Int: Double] = [:]
        let end = model.reverseChain(noise: NoiseSource(seed: 2, streams: Array(0..<UInt64(rows))), steps: 20) { x, t in
            #expect(x.normalisedRows().norms.allSatisfy { abs($0 - 1) < 1e-6 })
            result[t] = moments(x.scores(of: truth.elements).map(Double.init)).mean
            return clean
        }
        #expect(end == clean)
        return result
    }

    @Test("with the true vector as the prediction, the calibrated chain follows the schedule's cosines")
    func calibratedOracle() {
        for scale in [ReverseConfiguration.NoiseScale.asTraining, .calibrated] {
            let model = model(.geodesic, .linear50, scale)
            let found = oracleCosines(model)
            // 4,000 rows of deviation .125 or less: a standard error below .002.
            for t in 1...20 {
                #expect(abs((found[t] ?? .nan) - model.noise.schedule.alphaBar[t].squareRoot()) < 0.01, "t = \(t)")
            }
            for (t, target) in [(15, 0.018), (10, 0.228), (5, 0.741), (2, 0.968), (1, 0.997)] {
                #expect(abs((found[t] ?? .nan) - target) < 0.01, "t = \(t)")
            }
        }
    }

    @Test("unscaled noise and no noise miss these cosines by as much as the method measured")
    func otherScales() {
        let unit = oracleCosines(model(.geodesic, .linear50, .unit))
        for (t, target) in [(15, 0.002), (10, 0.023), (5, 0.103), (2, 0.399), (1, 0.868)] {
            #expect(abs((unit[t] ?? .nan) - target) < 0.01, "unit, t = \(t)")
        }
        let none = oracleCosines(model(.geodesic, .linear50, .none))
        for (t, target) in [(15, 0.067), (10, 0.543), (5, 0.973), (2, 1), (1, 1)] {
            #expect(abs((none[t] ?? .nan) - target) < 0.01, "none, t = \(t)")
        }
    }

    @Test("the exponential schedule starts a little below its level and catches up")
    func exponentialOracle() {
        let found = oracleCosines(model(.geodesic, .exponential, .asTraining))
        for (t, target) in [(15, 0.202), (10, 0.503), (5, 0.841), (2, 0.970), (1, 0.991)] {
            #expect(abs((found[t] ?? .nan) - target) < 0.01, "t = \(t)")
        }
    }

    @Test(
        "each step is the posterior mean plus scaled noise, on the sphere",
        arguments: [1, 2, 3, 7, 20],
        [(NoiseConfiguration.Kind.literal, 1.0), (.geodesic, 0.25)]
    )
    func steps(count: Int, noise: (kind: NoiseConfiguration.Kind, scale: Double)) {
        let model = model(noise.kind, .linear, .asTraining, dimension: 16)
        let streams: [UInt64] = [5, 0, 1 << 50]
        let normals = CounterBasedGenerator(seed: 3, purpose: .reverseNoise)
            .normalRows(streams: streams, columns: count * 16)
        let schedule = model.noise.schedule.reverseSteps(count)
        var expected = normals.doubles
        var visited = 0
        let end = model.reverseChain(noise: NoiseSource(seed: 3, streams: streams), steps: count) { x, t in
            #expect(t == schedule[visited].t)
            let clean = normalMatrix(rows: 3, columns: 16, seed: UInt64(100 + t)).normalisedRows().unit
            if visited == 0 { expected = (0..<3).flatMap { unit(normals.doubleRow($0).prefix(16)) } }
            expectClose(x.elements, expected, absolute: 1e-6, "step \(visited)")
            let step = schedule[visited]
            visited += 1
            guard visited < count else { return clean }
            expected = (0..<3).flatMap { row in
                let z = normals.doubleRow(row)[visited * 16..<(visited + 1) * 16]
                return unit(
                    zip(zip(x.doubleRow(row), clean.doubleRow(row)), z).map {
                        step.noisy * $0.0 + step.clean * $0.1 + step.deviation * noise.scale * $1
                    }
                )
            }
            return clean
        }
        #expect(visited == count)
        #expect(
            end == normalMatrix(rows: 3, columns: 16, seed: UInt64(100 + schedule[count - 1].t)).normalisedRows().unit
        )
    }

    @Test("without the sphere, a step is DDPM's posterior mean plus noise, from a standard normal start")
    func euclideanSteps() {
        var configuration = DimeRecConfiguration()
        configuration.dimension = 16
        configuration.geometry = .euclidean
        let model = DimeRec(configuration, parameters: .init())
        let normals = CounterBasedGenerator(seed: 3, purpose: .reverseNoise).normalRows(streams: [5], columns: 2 * 16)
        let clean = normalMatrix(rows: 1, columns: 16, seed: 1)
        let first = model.noise.schedule.reverseSteps(2)[0]
        var entered: [Matrix] = []
        let end = model.reverseChain(noise: NoiseSource(seed: 3, streams: [5]), steps: 2) { x, _ in
            entered.append(x)
            return clean
        }
        let (start, noise) = (normals.doubleRow(0).prefix(16), normals.doubleRow(0).suffix(16))
        expectClose(entered[0].elements, Array(start), absolute: 0)
        let expected = zip(zip(start, clean.doubleRow(0)), noise).map {
            first.noisy * $0.0 + first.clean * $0.1 + first.deviation * $1
        }
        expectClose(entered[1].elements, expected, absolute: 2e-6)
        #expect(end == clean)
    }

    @Test("noise scales of a recipe")
    func scales() {
        #expect(model(.literal, .linear, .asTraining).reverseNoiseScale == 1)
        #expect(model(.geodesic, .linear, .asTraining).reverseNoiseScale == 0.125)
        #expect(model(.geodesic, .linear, .unit).reverseNoiseScale == 1)
        #expect(model(.literal, .linear, .calibrated).reverseNoiseScale == 0.125)
        #expect(model(.literal, .linear, .none).reverseNoiseScale == 0)
    }

    private func unit(_ x: some Sequence<Double>) -> [Double] {
        let x = Array(x)
        let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return x.map { $0 / length }
    }
}
