"""Every number in an answer is the one that its sentence names.

All numbers handed over differ, so one taken from the wrong place, or with the wrong factor, shows.
"""

import re

import numpy as np

from exercises import (
    beta_vae,
    beta_vae_betas,
    beta_vae_interpolation,
    beta_vae_sweep,
    ex06_denoising,
    ex07b_latent_space,
    ex08_denoising,
    fashion_vae_latents,
    image_separation_methods,
    image_separation_more_data,
    loss_terms,
    pca_ae_vae,
    pca_linear,
)
from exercises.ex06_denoising import AE_CLEAN, AE_NOISY, CLEAN, CLIPPED, NOISY, PCA_NOISY
from nnscratch.training import History


def numbers_in(text):
    """The numbers that stand alone in a text, as they are written there."""
    return re.findall(r"(?<![\w.-])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w-])", text)


def test_numbers_are_found_in_a_text():
    assert numbers_in("PCA-2 has +1.50 %, 1,000 of 3 in exercise 1b (0.25)") == [
        "+1.50", "1,000", "3", "0.25"
    ]  # fmt: skip


def test_denoising():
    rows = {
        name: {"mse_[-1,1]": 0.125 * place, "mse_[0,1]": 9.0, "accuracy": 0.1 * place}
        for place, name in enumerate((NOISY, CLIPPED, PCA_NOISY, AE_NOISY, AE_CLEAN, CLEAN), 1)
    }
    text = ex06_denoising.denoising_answer(rows, np.array([-0.5, -0.75, -0.25]))
    assert numbers_in(text) == [
        "-1", "1", "0.125", "0.500", "0.625", "0.250", "-0.5000", "95", "-0.7500", "-0.2500",
        "60.0", "10.0", "40.0", "50.0",
    ]  # fmt: skip
    shift = {
        "code_distance_mean": 1.5, "code_distance_median": 2.5,
        "code_shift_mean_per_axis": [-0.25, 0.75], "code_rms_distance_from_their_mean": 3.5,
        "nearest_neighbour_accuracy_clean_codes": 0.75,
        "nearest_neighbour_accuracy_noisy_codes": 0.5,
    }  # fmt: skip
    assert numbers_in(ex06_denoising.shift_answer(shift)) == [
        "1.500", "2.500", "3.500", "-0.250", "+0.750", "1", "2", "75.0", "50.0"
    ]  # fmt: skip


def test_planes_and_generators():
    ae, vae = (
        {"mean": np.array([1.5, -2.5]) * k, "covariance": np.array([[0.25, 9], [9, 0.75]]) * k,
         "share_within_2_sd_of_the_prior": 0.25 * k, "kl_to_prior": 1.25 * k}
        for k in (1, 2)
    )  # fmt: skip
    results = {
        name: {"silhouette": 0.25 * place, "1-NN_macro_percent": 10.0 * place,
               "sure_tiles": 30 * place, "digits_covered": np.arange(place),
               "image_mse": np.array([[0.01, 0.03]]) * place}
        for place, name in enumerate(("AE", "VAE", "prior"), 1)
    }  # fmt: skip
    assert numbers_in(ex07b_latent_space.planes_answer(ae, vae, results)) == [
        "+3.00", "-5.00", "0.50", "1.50", "50", "2", "2.50", "1.2", "1.5", "-2.5",
        "+0.50", "+0.25", "20.0", "10.0",
    ]  # fmt: skip
    assert numbers_in(ex07b_latent_space.generators_answer(results)) == [
        "30", "225", "1", "10", "0.0200", "60", "225", "2", "10", "0.0400",
        "90", "225", "3", "10", "0.0600",
    ]  # fmt: skip


def test_map_and_encoding():
    best, encoded, control = (
        "MAP, w = 2.56", "VAE-16 of noisy, w = 2.56", "control: noisy to clean, w = 2.56"
    )  # fmt: skip
    intervals = {
        name: (0.125 * place, 5.0, 9.0) for place, name in enumerate((best, encoded, control), 1)
    }
    text = ex08_denoising.answer(intervals, best, [])
    assert numbers_in(text) == ["0.1250", "0.2500", "0.3750"]
    assert text.endswith("None is better here.")


def test_beta_vae():
    numbers = {
        "test_mse": 0.02, "mean_image_test_mse": 0.08, "mean_sd_of_a_code": 3.0,
        "mean_length_of_codes": 24.0, "mean_length_of_prior_codes": 6.0,
        "samples_of_N(0, I)": {"accepted_share": 0.02},
        "samples_of_fitted normal": {"accepted_share": 0.4},
        "reconstructions": {"accepted_share": 0.9}, "test_digits": {"accepted_share": 0.95},
    }  # fmt: skip
    assert numbers_in(beta_vae.answer(numbers)) == [
        "0.0200", "25.0", "0", "2.0", "95.0", "3.0", "1", "0", "4.0", "0", "40.0", "90.0"
    ]  # fmt: skip
    free = {"test_mse": 0.02, "test_mse_sampled": 0.03}
    assert numbers_in(beta_vae_betas.without_price(free, 0.01, True)) == ["2.00", "+50"]
    dead = {"test_mse": 0.08, "test_mse_sampled": 0.06, "kl": 0.01, "active_units": 0}
    text = beta_vae_betas.at_a_high_price(dead, 0.04)
    assert numbers_in(text) == ["1.500", "0.01", "2.000", "8"]
    rows = {
        beta: {"test_mse": error, "accepted_share": share}
        for beta, error, share in ((0, 0.01, 0.125), (0.1, 0.02, 0.5), (10, 0.04, 0.25))
    }
    tuned = {"explained": 0.75, "test_mse": 0.015, "accepted_share": 0.6, "effective_digits": 7.5,
             "active_units": 20, "kl": 9.0}  # fmt: skip
    assert numbers_in(beta_vae_sweep.answer(rows, 0.1, tuned, {"accepted_share": 0.02})) == [
        "0.1", "75.0", "0.0150", "60.0", "7.5", "2.0", "20", "64", "9.0", "0", "0.0100", "0.1",
        "50.0",
    ]  # fmt: skip


def test_walks():
    keys = list(beta_vae_interpolation.MEASURES)
    walks = {
        name: {key: np.array([1.0, 3.0]) * 10**place + k for k, key in enumerate(keys)}
        for place, name in enumerate(("AE", "VAE", "fade"))
    }
    differences = {key: (k + 0.5, k + 0.25, k + 0.75) for k, key in enumerate(keys)}
    expected = [
        number
        for k in range(4)
        for number in (
            str(2 + k), str(20 + k), f"{k + 0.5:+.2g}", "95", f"{k + 0.25:+.2g}",
            f"{k + 0.75:+.2g}", str(200 + k),
        )
    ]  # fmt: skip
    assert numbers_in(beta_vae_interpolation.answer(walks, differences)) == expected


def test_terms_of_the_loss():
    def measured(k):
        return {
            "code_sd": np.array([1.0, 3.0]) * k, "sampling_sd": 0.125 * k, "kl": 0.5 * k,
            "sse_at_mu": 30.0 + k, "sse_at_a_sample": 40.0 + k, "silhouette": 0.0625 * k,
            "1-NN_macro_percent": 50.0 + k, "empty_cells_percent": 60.0 + k,
        }  # fmt: skip

    results = {n: measured(k) for k, n in enumerate(("reconstruction only", "KL only", "both"), 1)}
    reference = {"empty_cells_percent": 2.0, "sse_of_the_mean_image": 59.0}
    free, pulled, both = (numbers_in(a) for _, a in loss_terms.answers(results, reference))
    assert free == ["51.0", "53.0", "+0.06", "+0.19", "61", "63", "2", "0", "0.12", "2", "0.38",
                    "6", "0.5", "1.5"]  # fmt: skip
    assert pulled == ["4", "1", "0.250", "52.0", "10", "0", "32", "59.0"]
    assert both == ["1.50", "0.5", "6.00", "2", "33.0", "43.0", "31.0", "41.0"]


def test_pca():
    variants = (pca_linear.LINEAR, pca_linear.RELU, pca_linear.SIGMOID, pca_linear.BOTH,
                pca_linear.WIDE)  # fmt: skip
    results = {
        v.name: {"train_mse_ratio": 1.0 + k / 8, "test_mse_ratio": 2.0 + k / 8,
                 "largest_angle_degrees": 3.0 + k, "codes_exactly_0_percent": 10.0 * k,
                 "draws_that_died": 20 + k, "components_of_pca_with_this_error": 100 + k,
                 "loss_by_epoch": [9.0, 1.0 * k, 2.0 * k, 3.0 * k]}
        for k, v in enumerate(variants)
    }  # fmt: skip
    first, second, third = (numbers_in(text) for _, text in pca_linear.answers(results))
    assert first == ["1.0000", "2.0000", "3.00"]
    assert second == [
        "1.1250", "2.1250", "4.00", "10.0", "0", "21", "1.2500", "2.2500", "5.00", "1.3750",
        "2.3750", "6.00", "2.0000", "4.0000", "6.0000",
    ]  # fmt: skip
    assert third == ["1,000", "784", "1.5000", "104", "7"]
    tiles = {
        name: {"codes_on_the_canvas_percent": 10 * k, "variance_of_tiles_percent": 20 * k,
               "tile_mse_to_nearest_training_image": 0.04 / k}
        for k, name in ((1, "AE"), (2, "VAE"))
    }  # fmt: skip
    assert numbers_in(pca_ae_vae.clearer_answer(tiles)) == [
        "10", "20", "0.0400", "20", "40", "0.0200"
    ]  # fmt: skip
    planes = {
        name: {"silhouette": 0.125 * k, "1-NN_macro_percent": 10.0 * k}
        for k, name in ((1, "PCA"), (2, "VAE"))
    }
    assert numbers_in(pca_ae_vae.planes_answer(planes)) == ["+0.125", "10.0", "+0.250", "20.0"]


def test_classes_of_clothes_and_of_digits():
    def of(k):
        return {
            "VAE": {"1-NN_macro_percent": 20.0 * k, "silhouette": 0.125 * k},
            "PCA-10": {"1-NN_macro_percent": 90.0 - 10 * k, "silhouette": 0.0},
            "active_units": 3 * k, "variance_of_images": 50.0 * k,
            "most_confused": [("a", "b", 7.0 * k)],
        }  # fmt: skip

    text = fashion_vae_latents.classes_answer({"Fashion-MNIST": of(1), "MNIST": of(2)})
    assert numbers_in(text) == [
        "20.0", "+0.125", "3", "10", "7", "40.0", "+0.250", "6", "10", "14", "20.0", "10.0",
        "50.0", "100.0",
    ]  # fmt: skip
    assert "ahead by 20.0 points with the VAE and behind by 10.0 points with PCA" in text


def test_separation():
    def row(k):
        return {
            "train": {"error": k, "ratio": k, "ratio_better_order": k / 2},
            "test": {"error": 4 * k, "ratio": 5 * k, "ratio_better_order": 3 * k},
        }

    names = ("VAE", "U-Net", "linear map", "autoencoder")
    text = image_separation_methods.which_is_best(
        {name: row(0.125 * k) for k, name in enumerate(names, 1)}
    )
    assert numbers_in(text) == ["12", "25", "50", "62", "125", "250", "38", "188"]
    results = {n: (row(k), History()) for n, k in ((100, 0.25), (2000, 0.5))}
    text = image_separation_more_data.answer(results)
    assert numbers_in(text) == [
        "100", "25", "125", "2,000", "50", "250", "100", "75", "100", "150", "2,000"
    ]  # fmt: skip
