from __future__ import annotations

import pytest

from suites.kernels import classify, kernel_proofs

# Names as profilers printed them on GPUs from Volta to Blackwell; from published traces.
TF32_CONVOLUTION = (
    "sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nchw_tilesize128x128x16_stage4_warpsize2x2x1_g1_"
    "tensor16x8x8_alignc4_execute_kernel__5x_cudnn"
)
HALF_CONVOLUTION = (
    "sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nhwc_tilesize128x32x32_stage4_warpsize4x1x1_g1_"
    "tensor16x8x16_execute_kernel__5x_cudnn"
)
FLOAT_PRODUCT = (
    "sm80_xmma_gemm_f32f32_f32f32_f32_nn_n_tilesize64x128x8_stage3_warpsize1x4x1_ffma_aligna4_alignc4_"
    "execute_kernel__5x_cublas"
)
FLOAT_CONVOLUTION = "cudnn_infer_ampere_scudnn_winograd_128x128_ldg1_ldg4_relu_tile148t_nt_v1"
TURNS = "void cudnn::engines_precompiled::nchwToNhwcKernel<__half, __half, float, (bool)0, (bool)1>(params)"
ELEMENTWISE = (
    "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, std::array<char*, 3>>"
)
BFLOAT_GRADIENT = "sm80_xmma_wgrad_implicit_gemm_indexed_bf16bf16_bf16f32_f32_nhwckrsc_nhwc_tilesize64x64x64_stage4"
INT8_CONVOLUTION = (
    "sm80_xmma_fprop_implicit_gemm_interleaved_i8f32_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_nchw_vect_c_32_"
    "tilesize64x32x64_stage6_warpsize2x1x1_g1_tensor16x8x32_simple_t1r1s1_execute_kernel_trt"
)
FLOAT8_PRODUCT = (
    "sm89_xmma_gemm_e4m3e4m3_e4m3f32_f32_tn_n_tilesize64x64x64_stage4_warpsize2x2x1_tensor16x8x32_bias_f32_"
    "execute_kernel_trt"
)
BFLOAT_PRODUCT = "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_execute_segment_k_off_kernel__5x_cublas"
CUTLASS_CONVOLUTION = (
    "void cutlass__5x_cudnn::Kernel<cutlass_tensorop_s1688fprop_optimized_tf32_128x64_16x4_nhwc_align4>(Params)"
)

KNOWN = [
    (TF32_CONVOLUTION, "cuDNN", "tf32", "nchw"),
    (HALF_CONVOLUTION, "cuDNN", "float16", "nhwc"),
    (BFLOAT_GRADIENT, "cuDNN", "bfloat16", "nhwc"),
    (FLOAT_CONVOLUTION, "cuDNN", "float32", None),
    ("ampere_scudnn_128x32_stridedB_splitK_xregs_large_nn_v1", "cuDNN", "float32", None),
    ("void implicit_convolve_sgemm<float, float, 512, 6, 8, 3, 3, 5, 1, false, false, true>", "cuDNN", "float32", None),
    (CUTLASS_CONVOLUTION, "cuDNN", "tf32", "nhwc"),
    (FLOAT_PRODUCT, "cuBLAS", "float32", None),
    ("ampere_sgemm_64x32_sliced1x4_tn", "cuBLAS", "float32", None),
    ("ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_64x4_tn", "cuBLAS", "float16", None),
    ("ampere_bf16_s16816gemm_bf16_256x128_ldg8_f2f_stages_32x3_tn", "cuBLAS", "bfloat16", None),
    ("nvjet_tst_128x128_64x4_1x2_h_bz_coopA_NNT", "cuBLAS", "bfloat16", None),
    ("nvjet_sm100_tst_64x16_64x16_2x4_2cta_h_bz_splitK_TNT", "cuBLAS", "bfloat16", None),
    ("nvjet_hsh_256x128_64x4_1x2_h_bz_coopA_NNT", "cuBLAS", "float16", None),
    ("nvjet_sss_tf32_128x256_TNT", "cuBLAS", "tf32", None),
    (BFLOAT_PRODUCT, "cuBLAS", "bfloat16", None),
    ("void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x64_16x6_nn_align4>(Params)", "CUTLASS", "tf32", None),
    ("void cutlass::Kernel2<cutlass_80_simt_sgemm_64x64_8x5_nn_align1>(Params)", "CUTLASS", "float32", None),
    ("void cutlass::Kernel2<cutlass_75_tensorop_s1688gemm_bf16_64x64_tn_align1>(Params)", "CUTLASS", "bfloat16", None),
    (
        "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_256x128_32x3_tn_align8>(Params)",
        "CUTLASS",
        "bfloat16",
        None,
    ),
    ("trt_turing_h1688cudnn_256x64_ldg8_relu_exp_small_nhwc_tn_v1", "TensorRT", "float16", "nhwc"),
    (INT8_CONVOLUTION, "TensorRT", "int8", "nchw"),
    (FLOAT8_PRODUCT, "TensorRT", "float8", None),
]
NO_PRODUCTS = [
    (TURNS, "cuDNN"),
    (ELEMENTWISE, "PyTorch"),
    ("triton_poi_fused_add_convolution_relu_3", "Triton"),
    ("void cublasLt::splitKreduce_kernel<32, 16, int, float, float, float, float, true, false, false>", "cuBLAS"),
    ("sm50_xmma_pooling_coalescedC_NHWC_kMAX_2_False_execute_kernel_trt", "TensorRT"),
    ("void cudnn::bn_fw_tr_1C11_kernel_NCHW<float, float, int, 512, true, 1>(cudnnTensorStruct)", "cuDNN"),
    ("Memset (Device)", None),
]


@pytest.mark.parametrize(("name", "library", "arithmetic", "layout"), KNOWN)
def test_a_product_is_known_by_its_name(name, library, arithmetic, layout):
    kernel = classify(name)
    assert (kernel.library, kernel.product, kernel.arithmetic, kernel.layout) == (library, True, arithmetic, layout)


@pytest.mark.parametrize(("name", "library"), NO_PRODUCTS)
def test_what_only_moves_or_adds_numbers_is_no_product(name, library):
    kernel = classify(name)
    assert (kernel.library, kernel.product, kernel.arithmetic) == (library, False, None)


def test_a_name_that_nobody_knows_stays_unknown():
    kernel = classify("_Z9my_kernelPf")
    assert (kernel.library, kernel.product, kernel.arithmetic, kernel.layout) == (None, False, None, None)


def proofs_of(precision, *names, layout="contiguous"):
    return {proof.fact: proof for proof in kernel_proofs(precision, layout, names)}


@pytest.mark.parametrize(
    ("precision", "names", "honoured"),
    [
        ("fp32", [FLOAT_PRODUCT, FLOAT_CONVOLUTION], True),
        ("fp32", [FLOAT_PRODUCT, TF32_CONVOLUTION], False),
        ("fp32", [HALF_CONVOLUTION], False),
        ("tf32", [TF32_CONVOLUTION, FLOAT_PRODUCT], True),
        ("tf32", [FLOAT_PRODUCT], False),
        ("amp_fp16", [HALF_CONVOLUTION, FLOAT_PRODUCT], True),
        ("amp_fp16", [FLOAT_PRODUCT], False),
        ("amp_fp16", [HALF_CONVOLUTION, TF32_CONVOLUTION], False),
        ("amp_bf16", [BFLOAT_GRADIENT], True),
        ("bf16", [HALF_CONVOLUTION], False),
        ("int8", [INT8_CONVOLUTION], True),
    ],
)
def test_kernels_speak_for_a_precision_or_against_it(precision, names, honoured):
    proof = proofs_of(precision, *names, ELEMENTWISE)["products on the GPU"]
    assert proof.judged
    assert proof.honoured == honoured


def test_unknown_products_are_listed_and_neither_honour_a_label_nor_strike_it_out():
    proofs = proofs_of("fp32", "future_gemm_v9", ELEMENTWISE)
    assert "products on the GPU" not in proofs
    assert proofs["products of unknown arithmetic"].observed == "future_gemm_v9"
    assert not any(proof.judged for proof in proofs.values())


def test_a_step_without_visible_kernels_says_so_and_judges_nothing():
    (proof,) = proofs_of("fp32").values()
    assert not proof.judged
    assert proof.honoured
    assert "none seen" in proof.observed


def test_libraries_are_counted():
    proof = proofs_of("fp32", FLOAT_PRODUCT, ELEMENTWISE, ELEMENTWISE)["kernel libraries"]
    assert proof.observed == "PyTorch 2, cuBLAS 1"


def test_a_channels_last_label_needs_a_kernel_that_reads_it():
    assert proofs_of("fp16", HALF_CONVOLUTION, layout="channels_last")["layout on the GPU"].honoured
    turned = proofs_of("fp16", TURNS, HALF_CONVOLUTION.replace("nhwc", "nchw"), layout="channels_last")
    assert not turned["layout on the GPU"].honoured
    assert turned["tensors turned between layouts"].observed == "1"
    assert "layout on the GPU" not in proofs_of("fp32", FLOAT_CONVOLUTION, layout="channels_last")


@pytest.mark.parametrize(("precision", "judged"), [("fp32", False), ("tf32", False), ("amp_fp16", True)])
def test_the_layout_of_a_kernel_judges_half_precision_only(precision, judged):
    turned = HALF_CONVOLUTION.replace("nhwc", "nchw")
    (layout,) = (proof for proof in kernel_proofs(precision, "channels_last", [turned]) if "layout" in proof.fact)
    assert (layout.judged, layout.observed) == (judged, "nchw")


def test_a_compiler_that_chooses_by_timing_may_prefer_float32_to_tf32():
    for own, honoured in ((True, True), (False, False)):
        proofs = kernel_proofs("tf32", "", [FLOAT_PRODUCT], own_arithmetic=own)
        (products,) = (proof for proof in proofs if proof.fact == "products on the GPU")
        assert (products.honoured, products.observed) == (honoured, "float32")
    (products,) = (
        p for p in kernel_proofs("fp32", "", [TF32_CONVOLUTION], own_arithmetic=True) if "products" in p.fact
    )
    assert not products.honoured  # nobody may choose less than what was asked for
