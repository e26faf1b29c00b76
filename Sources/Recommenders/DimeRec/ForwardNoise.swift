import Autodiff
public import Kernels

/// Noises clean vectors to a diffusion step (method, sections 5 and 14).
public struct ForwardNoise: Sendable {
    /// The noise schedule in use.
    public let schedule: NoiseSchedule
    private let configuration: NoiseConfiguration
    private let geometry: Geometry
    private let walk: GeodesicRandomWalk

    /// The noise of a recipe.
    public init(
        _ configuration: NoiseConfiguration,
        dimension: Int,
        steps: Int,
        geometry: Geometry = .sphere
    ) {
        self.configuration = configuration
        self.geometry = geometry
        let nominal = NoiseSchedule(configuration.schedule, steps: steps)
        walk = GeodesicRandomWalk(dimension: dimension, betas: nominal.betas, reading: configuration.reading)
        switch configuration.kind {
        case .literal: schedule = nominal
        case .geodesic: schedule = NoiseSchedule(betas: walk.effectiveBetas)
        }
    }

    /// Per-coordinate size of the reverse chain's noise that matches the forward noise.
    public var reverseScale: Float {
        configuration.kind == .literal ? 1 : 1 / Float(walk.dimension).squareRoot()
    }

    /// Steps drawn uniformly from 1...T, one for each row.
    public func steps(_ noise: NoiseSource) -> [Int] {
        GaussianDiffusion(schedule: schedule).steps(noise)
    }

    /// The noised vectors as `factor_i * x_i + offset_i`; for literal noise the caller normalises them on the sphere.
    func affine(_ clean: Matrix, steps: [Int], noise: NoiseSource) -> (factors: [Float], offsets: Matrix) {
        switch configuration.kind {
        case .literal:
            let diffusion = GaussianDiffusion(schedule: schedule)
            return diffusion.affine(steps: steps, normals: diffusion.normals(noise, columns: clean.columns))
        case .geodesic:
            let generator = CounterBasedGenerator(seed: noise.seed, purpose: .walkAngle)
            var factors: [Float] = []
            var offsets = Matrix(rows: clean.rows, columns: clean.columns)
            for row in 0..<clean.rows {
                var numbers = SequentialGenerator(generator, stream: noise.streams[row])
                let start = clean.row(row)
                switch configuration.sampler {
                case .shortcut:
                    let end = walk.endpoint(from: start, after: steps[row], using: &numbers)
                    factors.append(end.cosine)
                    offsets.setRow(row, to: end.offset)
                case .walk:
                    let end = walk.walk(from: start, after: steps[row], using: &numbers)
                    let cosine = dot(end.span, start.span)
                    factors.append(cosine)
                    offsets.setRow(row, to: zip(end, start).map { $0 - cosine * $1 })
                }
            }
            return (factors, offsets)
        }
    }

    /// Noised vectors, `[B, d]`, without gradients; unit rows on the sphere.
    public func noised(_ clean: Matrix, steps: [Int], noise: NoiseSource) -> Matrix {
        noised(Tape(recording: false).constant(clean), steps: steps, noise: noise).value
    }

    /// Noised vectors on a tape; the noise is constant, and the clean vector may have a gradient.
    func noised(_ clean: Variable, steps: [Int], noise: NoiseSource) -> Variable {
        let (factors, offsets) = affine(clean.value, steps: steps, noise: noise)
        return geometry.placed(clean.scalingRows(by: factors).adding(clean.tape.constant(offsets)))
    }
}
