import Recommenders
import Testing

@Suite("NoiseSchedule") struct NoiseScheduleTests {
    private func schedule(_ kind: ScheduleConfiguration.Kind, steps: Int = 20) -> NoiseSchedule {
        var configuration = ScheduleConfiguration()
        configuration.kind = kind
        return NoiseSchedule(configuration, steps: steps)
    }

    /// t, beta, sqrt(alphaBar), c1, c2, sqrt(betatilde) of `exp` at T = 20 (method, section 2).
    static let exponentialTable: [[Double]] = [
        [1, 0.01722, 0.99135, 1.00000, 0.00000, 0.00000], [2, 0.04250, 0.97006, 0.71419, 0.28572, 0.11140],
        [3, 0.06712, 0.93693, 0.53303, 0.46644, 0.18004], [4, 0.09111, 0.89323, 0.42232, 0.57613, 0.23465],
        [5, 0.11448, 0.84055, 0.34845, 0.64813, 0.28081], [6, 0.13726, 0.78073, 0.29548, 0.69815, 0.32120],
        [7, 0.15944, 0.71579, 0.25528, 0.73409, 0.35730], [8, 0.18106, 0.64776, 0.22329, 0.76031, 0.39003],
        [9, 0.20212, 0.57861, 0.19682, 0.77936, 0.41994], [10, 0.22264, 0.51015, 0.17414, 0.79285, 0.44744],
        [11, 0.24263, 0.44396, 0.15416, 0.80183, 0.47281], [12, 0.26211, 0.38137, 0.13617, 0.80708, 0.49625],
        [13, 0.28108, 0.32336, 0.11971, 0.80918, 0.51793], [14, 0.29957, 0.27063, 0.10452, 0.80863, 0.53800],
        [15, 0.31758, 0.22356, 0.09047, 0.80586, 0.55660], [16, 0.33513, 0.18229, 0.07750, 0.80127, 0.57387],
        [17, 0.35223, 0.14671, 0.06562, 0.79522, 0.58993], [18, 0.36889, 0.11655, 0.05487, 0.78803, 0.60491],
        [19, 0.38512, 0.09140, 0.04526, 0.78001, 0.61894], [20, 0.40093, 0.07074, 0.03683, 0.77139, 0.63212],
    ]

    @Test("the exponential schedule reproduces its published constants", arguments: exponentialTable)
    func exponential(row: [Double]) {
        let schedule = schedule(.exponential)
        let t = Int(row[0])
        let step = schedule.reverseSteps()[20 - t]
        #expect(step.t == t)
        let found = [
            schedule.betas[t - 1], schedule.alphaBar[t].squareRoot(), step.clean, step.noisy, step.deviation,
        ]
        // Five printed digits.
        for (value, expected) in zip(found, row.dropFirst()) { #expect(abs(value - expected) <= 1e-5) }
    }

    @Test(
        "square roots of alphaBar at t = 1, 2, 5, 10, 15, 19, 20",
        arguments: [
            (.exponential, [0.9914, 0.9701, 0.8405, 0.5101, 0.2236, 0.0914, 0.0707]),
            (.cosine, [0.9960, 0.9859, 0.9203, 0.7027, 0.3798, 0.0778, 0.0008]),
            (.linear50, [0.9975, 0.9685, 0.7413, 0.2280, 0.0176, 0.0002, 0]),
            (.linearUnscaled, [0.9999, 0.9994, 0.9945, 0.9761, 0.9455, 0.9129, 0.9038]),
            (.truncatedLinear, [0.9925, 0.9838, 0.9514, 0.8780, 0.7858, 0.7031, 0.6817]),
        ] as [(ScheduleConfiguration.Kind, [Double])]
    )
    func families(kind: ScheduleConfiguration.Kind, expected: [Double]) {
        let schedule = schedule(kind)
        for (t, value) in zip([1, 2, 5, 10, 15, 19, 20], expected) {
            // Four printed digits.
            #expect(abs(schedule.alphaBar[t].squareRoot() - value) <= 5.1e-5, "t = \(t)")
        }
    }

    @Test("the square-root schedule equals its definition, except for the clipped last step", arguments: [5, 20, 500])
    func squareRoot(steps: Int) {
        let schedule = schedule(.squareRoot, steps: steps)
        for t in 0..<steps {
            let expected = (1 - (Double(t) / Double(steps) + 1e-4).squareRoot()) / 0.99
            #expect(abs(schedule.alphaBar[t] - expected) < 1e-12, "t = \(t)")
        }
        #expect(schedule.betas[steps - 1] == 0.999)
    }

    @Test("the linear schedule runs from its first to its last beta")
    func linear() {
        var configuration = ScheduleConfiguration()
        (configuration.betaFirst, configuration.betaLast) = (0.1, 0.5)
        let betas = NoiseSchedule(configuration, steps: 5).betas
        for (found, expected) in zip(betas, [0.1, 0.2, 0.3, 0.4, 0.5]) { #expect(abs(found - expected) < 1e-15) }
        #expect(NoiseSchedule(configuration, steps: 1).betas == [0.1])
    }

    @Test("every family is a schedule at every length", arguments: ScheduleConfiguration.Kind.allCases, [1, 2, 5, 100])
    func lengths(kind: ScheduleConfiguration.Kind, steps: Int) {
        let schedule = schedule(kind, steps: steps)
        #expect(schedule.steps == steps && schedule.alphaBar.count == steps + 1 && schedule.alphaBar[0] == 1)
        #expect(schedule.betas.allSatisfy { $0 > 0 && $0 < 1 })
        #expect(zip(schedule.alphaBar, schedule.alphaBar.dropFirst()).allSatisfy { $0 > $1 && $1 >= 0 })
    }

    @Test(
        "a reverse step undoes the forward marginals, respaced or not",
        arguments: ScheduleConfiguration.Kind.allCases,
        [1, 2, 3, 7, 10, 19, 20]
    )
    func reverseSteps(kind: ScheduleConfiguration.Kind, count: Int) {
        let schedule = schedule(kind)
        let steps = schedule.reverseSteps(count)
        #expect(steps.map(\.t) == (1...count).reversed().map { Int((Double($0 * 20) / Double(count)).rounded(.up)) })
        #expect(steps.first?.t == 20)
        for (index, step) in steps.enumerated() {
            let now = schedule.alphaBar[step.t]
            let before = index + 1 < steps.count ? schedule.alphaBar[steps[index + 1].t] : 1
            // Mean and variance of x at the lower level, given x_0 and x at this one.
            #expect(abs(step.clean + step.noisy * now.squareRoot() - before.squareRoot()) < 1e-12)
            let variance = step.noisy * step.noisy * (1 - now) + step.deviation * step.deviation
            #expect(abs(variance - (1 - before)) < 1e-12)
        }
        // Exact values: rounding must leave no noise in the result and no root of a negative number.
        let last = steps[count - 1]
        #expect(last.clean == 1 && last.noisy == 0 && last.deviation == 0)
    }

    @Test("the forward variance keeps standard normal rows standard normal", arguments: [1, 2, 7, 20])
    func forwardVariance(count: Int) {
        let schedule = schedule(.exponential)
        // Given x_t, such a row has mean sqrt(alphaBar) x_t; with this mean as the prediction, the variance must stay
        // 1.
        for step in schedule.reverseSteps(count, variance: .forward).dropLast() {
            let factor = step.clean * schedule.alphaBar[step.t].squareRoot() + step.noisy
            #expect(abs(factor * factor + step.deviation * step.deviation - 1) < 1e-12)
        }
        let last = schedule.reverseSteps(count, variance: .forward)[count - 1]
        #expect(last.clean == 1 && last.noisy == 0 && last.deviation == 0)
    }

    @Test("a single beta is a schedule, and an impossible beta traps")
    func single() async {
        let schedule = NoiseSchedule(betas: [0.36])
        #expect(schedule.alphaBar == [1, 0.64])
        #expect(schedule.reverseSteps().map { [Double($0.t), $0.clean, $0.noisy, $0.deviation] } == [[1, 1, 0, 0]])
        await #expect(processExitsWith: .failure) { _ = NoiseSchedule(betas: [0.5, 1]) }
        await #expect(processExitsWith: .failure) { _ = NoiseSchedule(betas: [0.5]).reverseSteps(2) }
    }
}
