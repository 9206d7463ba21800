#include "act/local_node.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>

#include "base/units.h"
#include "domain/request.h"

namespace gyre::act {
namespace {

tl::unexpected<Error> bad_virtual_gpus(std::string_view text, std::string_view why) {
  return fail(
      ErrorKind::Invalid,
      "'{}' does not declare virtual GPUs ({}): write COUNTxMODEL[:MEMORY], as in 8xH100:80GB",
      text, why);
}

/// The gigabytes that a product's name states, as the 80 of "A100-SXM4-80GB"; 0 if it does not.
std::int64_t gigabytes_in(std::string_view name) {
  for (std::size_t at = name.find("GB"); at != std::string_view::npos;
       at = name.find("GB", at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && std::isdigit(static_cast<unsigned char>(name[begin - 1])) != 0) --begin;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(name.data() + begin, name.data() + at, value);
    if (error == std::errc{} && value > 0) return value;
  }
  return 0;
}

bool is_model_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

/// Which of `gpus` are linked, by their places in it. A link to a device that is not offered is
/// counted with those to switches: it leads out of the set.
std::vector<GpuLink> links_between(const std::vector<const Gpu*>& gpus) {
  std::vector<GpuLink> links;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    std::map<std::int32_t, std::int32_t> count;  // by peer
    for (const std::string& end : gpus[i]->links) {
      const auto peer = std::find_if(gpus.begin(), gpus.end(),
                                     [&](const Gpu* gpu) { return gpu->bus_id == end; });
      ++count[peer == gpus.end() ? -1 : static_cast<std::int32_t>(peer - gpus.begin())];
    }
    for (const auto& [peer, number] : count) {
      links.push_back({static_cast<std::int32_t>(i), peer, number});
    }
  }
  return links;
}

}  // namespace

Result<GpuSet> parse_virtual_gpus(std::string_view text) {
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc{} || rest.empty() || rest.front() != 'x') {
    return bad_virtual_gpus(text, "it does not begin with a count and an x");
  }
  if (count < 1 || count > kGpusPerNodeMax) {
    return bad_virtual_gpus(text, fmt::format("a node has 1 to {} GPUs", kGpusPerNodeMax));
  }
  rest.remove_prefix(1);
  const std::size_t colon = std::min(rest.find(':'), rest.size());
  GpuSet set;
  set.model = rest.substr(0, colon);
  set.is_virtual = true;
  if (!is_model_name(set.model)) return bad_virtual_gpus(text, "a model is letters and digits");
  if (colon < rest.size()) {
    const std::string_view size = rest.substr(colon + 1);
    const auto memory = parse_memory(size);
    if (!memory) return bad_virtual_gpus(text, memory.error().message);
    if (std::isalpha(static_cast<unsigned char>(size.back())) == 0) {
      return bad_virtual_gpus(
          text,
          fmt::format("expected a memory size with a unit, as in 80GB, found the number {}", size));
    }
    set.memory = *memory;
  }
  for (int i = 0; i < count; ++i) set.devices.push_back(std::to_string(i));
  return set;
}

GpuSet offer(const std::vector<Gpu>& found, bool mps_can_run) {
  constexpr int kVolta = 7;
  GpuSet set;
  const auto alike = [](const Gpu& a, const Gpu& b) {
    return a.model == b.model && a.mig_mode == b.mig_mode;
  };
  const auto count_of = [&](const Gpu& gpu) {
    return std::count_if(found.begin(), found.end(),
                         [&](const Gpu& other) { return alike(gpu, other); });
  };
  const auto chosen = std::max_element(found.begin(), found.end(), [&](const Gpu& a, const Gpu& b) {
    return count_of(a) < count_of(b);
  });
  if (chosen == found.end()) return set;
  set.model = chosen->model;
  const bool mps = mps_can_run && chosen->compute_capability >= kVolta;
  set.sharing = chosen->mig_mode ? Sharing::Mig : mps ? Sharing::Mps : Sharing::Timeslice;
  set.driver = chosen->driver;
  std::vector<const Gpu*> offered;
  for (const Gpu& gpu : found) {
    const bool other = !alike(gpu, *chosen);
    if (other || set.devices.size() == kGpusPerNodeMax) {
      set.left_out.push_back(fmt::format(
          "GPU {} ({}{}) is not offered: {}", gpu.id, gpu.model, gpu.mig_mode ? " in MIG mode" : "",
          other ? "a node offers GPUs of one model and MIG mode" : "a node offers 16 at most"));
      continue;
    }
    set.memory = set.devices.empty() ? gpu.memory : std::min(set.memory, gpu.memory);
    set.devices.push_back(gpu.id);
    offered.push_back(&gpu);
  }
  set.links = links_between(offered);
  const bool together = std::all_of(offered.begin(), offered.end(), [&](const Gpu* gpu) {
    return gpu->fabric == offered.front()->fabric;
  });
  if (together) set.fabric = offered.front()->fabric;
  return set;
}

std::string short_gpu_model(std::string_view product_name) {
  constexpr std::array<std::string_view, 7> kVendorWords{"NVIDIA", "Tesla",    "GeForce", "Quadro",
                                                         "AMD",    "Instinct", "Graphics"};
  // Where the model ends and the board's variant begins, as in "H100 80GB HBM3" or
  // "V100-SXM2-16GB".
  constexpr std::array<std::string_view, 8> kVariants{"SXM",  "PCI", "HBM", "NVL",
                                                      "FHHL", "MIG", "DGX", "GPU"};
  std::string model;
  while (!product_name.empty()) {
    const std::size_t end = std::min(product_name.find_first_of(" -"), product_name.size());
    const std::string_view word = product_name.substr(0, end);
    product_name.remove_prefix(std::min(end + 1, product_name.size()));
    if (std::find(kVendorWords.begin(), kVendorWords.end(), word) != kVendorWords.end()) continue;
    const bool variant = word.ends_with("GB") ||
                         std::any_of(kVariants.begin(), kVariants.end(),
                                     [&](std::string_view v) { return word.starts_with(v); });
    if (variant && !model.empty()) break;
    model += word;
  }
  return model;
}

MemoryMib nominal_gpu_memory(std::string_view product_name, MemoryMib usable) {
  constexpr std::int64_t kGib = 1024;
  const std::int64_t stated = gigabytes_in(product_name);
  if (stated > 0) return {stated * kGib};
  // GDDR boards keep a sixteenth for ECC; sizes with ECC come in multiples of 8 GiB.
  const std::int64_t with_ecc = usable.value * 16 / 15;
  const std::int64_t sold = (with_ecc + 4 * kGib) / (8 * kGib) * (8 * kGib);
  const std::int64_t off = with_ecc > sold ? with_ecc - sold : sold - with_ecc;
  if (off * 200 <= sold) return {sold};
  return {(usable.value + kGib - 1) / kGib * kGib};
}

NodeSpec node_of(const Machine& machine, const GpuSet& gpus, std::string partition) {
  NodeSpec node{.name = machine.name,
                .partition = std::move(partition),
                .gpu_model = gpus.model,
                .gpus = static_cast<std::int32_t>(gpus.devices.size()),
                .gpu_memory = gpus.memory,
                .cpu = machine.cpu,
                .memory = machine.memory,
                .virtual_gpus = gpus.is_virtual,
                .gpu_sharing = gpus.sharing};
  node.location.nvlink = gpus.fabric;
  return node;
}

}  // namespace gyre::act
