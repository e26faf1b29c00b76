import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("Gradients of the joint loss") struct LossGradientTests {
    /// Losses near 5 of a dozen roundings each: 12 * 5 * 1.5 * roundoff / h is 4e-4 at h = 1/64; truncation is below
    /// 1e-5.
    private func expectLossGradient(_ model: DimeRec, _ batch: TrainingBatch, skippedRows: [String: Set<Int32>] = [:]) {
        expectGradient(of: model.parameters, tolerance: 4e-4, skippedRows: skippedRows) { parameters, tape in
            DimeRec(model.configuration, parameters: parameters).loss(batch, on: tape).total
        }
    }

    private static let routingKinds: [GuidanceConfiguration.Kind] = [.dynamicRouting, .mind]

    /// With several interests, gradients treat the shares of dynamic routing as constants; differences do not.
    private static let differentiable =
        Variant.all.filter { !routingKinds.contains($0.configuration.guidance.kind) }
        + routingKinds.map { kind in
            Variant("\(kind.rawValue) to one interest") {
                $0.guidance.kind = kind
                $0.interests = 1
            }
        }

    @Test("equal central differences in every parameter", arguments: differentiable + [.euclidean])
    func centralDifferences(variant: Variant) {
        expectLossGradient(variant.model, variant.batch)
    }

    @Test("with dropout the mask is part of the row's noise")
    func dropout() {
        let variant = Variant("dropout") {
            $0.denoiser.dropout = 0.3
            $0.denoiser.depth = 2
        }
        expectLossGradient(variant.model, variant.batch)
        var other = variant.batch
        other.noise.seed += 1
        func loss(_ batch: TrainingBatch) -> Float {
            variant.model.loss(batch, on: Tape(recording: false)).total.scalar
        }
        #expect(loss(variant.batch) != loss(other))
    }

    @Test(
        "with geodesic noise as a constant, except for the targets' rows",
        arguments: NoiseConfiguration.Sampler.allCases
    )
    func geodesic(sampler: NoiseConfiguration.Sampler) {
        let variant = Variant("geodesic") {
            $0.noise.kind = .geodesic
            $0.noise.sampler = sampler
            $0.loss.detachNoised = true
        }
        expectLossGradient(variant.model, variant.batch, skippedRows: ["items": Set(Variant.targets)])
        let untied = Variant("geodesic, untied") {
            $0.noise.kind = .geodesic
            $0.noise.sampler = sampler
            $0.tiedItems = false
        }
        expectLossGradient(untied.model, untied.batch, skippedRows: ["items.output": Set(Variant.targets)])
    }

    /// With fixed noised vectors, the equations in Double give the expected gradients of the targets' rows.
    @Test("targets' rows with noised vectors held fixed", arguments: NoiseConfiguration.Kind.allCases, [true, false])
    func targets(kind: NoiseConfiguration.Kind, tied: Bool) {
        let variant = Variant("held") {
            $0.noise.kind = kind
            $0.loss.detachNoised = true
            $0.tiedItems = tied
        }
        expectReferenceGradient(variant, of: tied ? "items" : "items.output")
    }

    @Test("routing with its shares held fixed", arguments: routingKinds, ["items", "guidance.votes"])
    func routing(kind: GuidanceConfiguration.Kind, parameter: String) {
        let variant = Variant("routing") {
            $0.guidance.kind = kind
            $0.loss.detachNoised = true
        }
        expectReferenceGradient(variant, of: parameter)
    }

    /// Compares with differences of the equations in Double, with noised vectors and the shares of routing held fixed.
    private func expectReferenceGradient(_ variant: Variant, of parameter: String) {
        let (model, batch) = (variant.model, variant.batch)
        let table = variant.configuration.tiedItems ? "items" : "items.output"
        let clean = model.parameters[table].gatheringRows(batch.targets).normalisedRows().unit
        let steps = model.noise.steps(batch.noise)
        let noisedRows = model.noise.noised(clean, steps: steps, noise: batch.noise)
        let noised = (0..<4).map(noisedRows.doubleRow)
        var reference = ReferenceModel(model)
        if Self.routingKinds.contains(variant.configuration.guidance.kind) { reference.holdShares(of: batch.histories) }
        var expected: [Double] = []
        let shape = model.parameters[parameter].shape
        for row in 0..<shape[0] {
            for column in 0..<shape[1] {
                let value = reference[parameter][row][column]
                func total(_ step: Double) -> Double {
                    reference[parameter][row][column] = value + step
                    defer { reference[parameter][row][column] = value }
                    return reference.total(reference.terms(batch, noised: noised, steps: steps))
                }
                expected.append((total(1e-5) - total(-1e-5)) / 2e-5)
            }
        }
        let tape = Tape()
        let gradients = tape.backward(from: model.loss(batch, on: tape).total)
        // A few dozen roundings of terms of size up to 3.
        let found = gradients.whole(parameter, like: model.parameters[parameter])
        expectClose(found.elements, expected, absolute: 1e-5)
        #expect(!isZero(found))
    }

    /// Gradients with only some losses on.
    private func gradients(
        of name: String,
        tied: Bool = false,
        _ configure: @escaping @Sendable (inout LossConfiguration) -> Void
    ) -> Matrix {
        let variant = Variant("flags") {
            $0.tiedItems = tied
            ($0.loss.guidance, $0.loss.lambda, $0.loss.mu) = (0, 0, 0)
            configure(&$0.loss)
        }
        let tape = Tape()
        let model = variant.model
        let gradients = tape.backward(from: model.loss(variant.batch, on: tape).total)
        return gradients.whole(name, like: model.parameters[name])
    }

    private func isZero(_ matrix: Matrix) -> Bool { matrix.elements.allSatisfy { $0 == 0 } }

    @Test("a detached guidance module gets no gradient from the diffusion losses")
    func detachGuidance() {
        for name in ["guidance.projection", "guidance.projection.bias", "guidance.position", "guidance.heads", "items"]
        {
            for detached in [true, false] {
                let gradient = gradients(of: name) {
                    ($0.lambda, $0.mu, $0.detachGuidance) = (1, 1, detached)
                }
                #expect(isZero(gradient) == detached, "\(name)")
            }
            let guided = gradients(of: name) { ($0.guidance, $0.detachGuidance) = (1, true) }
            #expect(!isZero(guided), "\(name)")
        }
        #expect(!isZero(gradients(of: "denoiser.noised") { ($0.mu, $0.detachGuidance) = (1, true) }))
    }

    @Test("the reconstruction loss reaches a detached target only through the noised vector")
    func detachTarget() {
        func classes(_ target: Bool, _ noised: Bool) -> Matrix {
            gradients(of: "items.output") { ($0.lambda, $0.detachTarget, $0.detachNoised) = (1, target, noised) }
        }
        #expect(isZero(classes(true, true)))
        #expect(!isZero(classes(false, true)))
        #expect(!isZero(classes(true, false)))
        // Two paths add up.
        var sum = classes(false, true)
        sum.add(classes(true, false))
        expectClose(classes(false, false).elements, sum.doubles, absolute: 1e-6)
    }

    @Test("a loss of weight 0 trains nothing")
    func weights() {
        #expect(isZero(gradients(of: "denoiser.output") { $0.guidance = 1 }))
        #expect(!isZero(gradients(of: "denoiser.output") { $0.lambda = 1 }))
        #expect(!isZero(gradients(of: "denoiser.output") { $0.mu = 1 }))
    }
}
