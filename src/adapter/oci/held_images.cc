#include "adapter/oci/held_images.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapter/oci/layer_cache.h"

namespace gyre::oci {
namespace {

using Json = nlohmann::json;

std::string text_of(const Json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

HeldImages::HeldImages(std::string file) : file_(std::move(file)) {
  load();
  drop_incomplete();
}

void HeldImages::load() {
  std::ifstream in(file_, std::ios::binary);
  const Json list = Json::parse(in, nullptr, false);
  if (!list.is_array()) return;
  for (const Json& one : list) {
    if (!one.is_object() || !one.contains("layers") || !one["layers"].is_array()) continue;
    Entry entry{{text_of(one, "reference"), text_of(one, "digest")}, {}};
    for (const Json& layer : one["layers"]) {
      if (layer.is_string()) entry.layers.push_back(layer.get<std::string>());
    }
    if (is_sane(entry.image) && entries_.size() < kImagesPerNodeMax) {
      entries_.push_back(std::move(entry));
    }
  }
}

void HeldImages::drop_incomplete() {
  std::erase_if(entries_, [](const Entry& entry) {
    return !std::all_of(entry.layers.begin(), entry.layers.end(), LayerCache::has);
  });
}

void HeldImages::used(const HeldImage& image, const std::vector<std::string>& layers) {
  if (!is_sane(image)) return;
  const std::lock_guard guard(mutex_);
  const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.image.reference == image.reference;
  });
  Entry fresh{image, layers};
  const bool same = known != entries_.end() && known->image == image && known->layers == layers;
  if (known != entries_.end()) entries_.erase(known);
  entries_.push_front(std::move(fresh));
  if (same) return;  // in what order they were used need not outlive this
  if (entries_.size() > kImagesPerNodeMax) entries_.pop_back();
  ++version_;
  save();
}

void HeldImages::layers_went() {
  const std::lock_guard guard(mutex_);
  const std::size_t before = entries_.size();
  drop_incomplete();
  if (entries_.size() == before) return;
  ++version_;
  save();
}

std::vector<HeldImage> HeldImages::list() const {
  const std::lock_guard guard(mutex_);
  std::vector<HeldImage> images;
  for (const Entry& entry : entries_) images.push_back(entry.image);
  return images;
}

/// What cannot be written is told again when it is used again.
void HeldImages::save() const {
  Json list = Json::array();
  for (const Entry& entry : entries_) {
    list.push_back({{"reference", entry.image.reference},
                    {"digest", entry.image.digest},
                    {"layers", entry.layers}});
  }
  const std::string draft = file_ + ".tmp";
  std::ofstream out(draft, std::ios::binary);
  out << list.dump(-1, ' ', false, Json::error_handler_t::replace);
  out.close();
  if (out) std::rename(draft.c_str(), file_.c_str());
}

}  // namespace gyre::oci
