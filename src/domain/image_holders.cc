#include "domain/image_holders.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "base/fnv.h"
#include "domain/image_ref.h"

namespace gyre {
namespace {

ImageId hash_of(std::initializer_list<std::string_view> parts) {
  std::uint64_t hash = kFnvBegin;
  for (const std::string_view part : parts) hash = fnv1a(part, hash);
  return {hash == 0 ? 1 : hash};
}

/// A reference without its digest, and of a registry's without its tag.
struct Parts {
  std::string_view name;
  std::string_view tag;     // with the ':'
  std::string_view digest;  // with the '@'
};

Parts parts_of(std::string_view reference) {
  Parts parts{reference, {}, {}};
  if (const std::size_t at = reference.rfind('@'); at != std::string_view::npos) {
    parts.name = reference.substr(0, at);
    parts.digest = reference.substr(at);
  }
  if (parts.name.starts_with('/')) return parts;
  parts.tag = ":latest";
  const std::size_t colon = parts.name.rfind(':');
  const std::size_t slash = parts.name.rfind('/');
  if (colon == std::string_view::npos || (slash != std::string_view::npos && colon < slash)) {
    return parts;
  }
  parts.tag = parts.name.substr(colon);
  parts.name = parts.name.substr(0, colon);
  return parts;
}

}  // namespace

std::array<ImageId, 2> ids_of(const HeldImage& image) {
  const ImageId named = image_id(image.reference);
  if (image.digest.empty()) return {named, ImageId{}};
  const ImageId pinned = hash_of({parts_of(image.reference).name, "@", image.digest});
  return {named, pinned == named ? ImageId{} : pinned};
}

ImageId image_id(std::string_view reference) {
  if (reference.empty()) return {};
  const Parts parts = parts_of(reference);
  return hash_of({parts.name, parts.digest.empty() ? parts.tag : parts.digest});
}

bool is_sane(const HeldImage& image) {
  return image.reference.size() <= kHeldReferenceMax &&
         parse_image_ref(image.reference).has_value() &&
         (image.digest.empty() || is_digest(image.digest));
}

void ImageHolders::add(NodeId node, const HeldImage& image) {
  std::vector<HeldImage>& known = by_node_[node];
  const auto at = std::lower_bound(known.begin(), known.end(), image);
  if (at != known.end() && *at == image) return;
  if (known.size() >= kImagesPerNodeMax) return;
  known.insert(at, image);
  count(node, image, 1);
}

void ImageHolders::remove(NodeId node, const HeldImage& image) {
  const auto known = by_node_.find(node);
  if (known == by_node_.end()) return;
  const auto at = std::lower_bound(known->second.begin(), known->second.end(), image);
  if (at == known->second.end() || *at != image) return;
  count(node, image, -1);
  known->second.erase(at);
  if (known->second.empty()) by_node_.erase(known);
}

void ImageHolders::forget(NodeId node) {
  const auto held = images(node);
  for (const HeldImage& image : std::vector<HeldImage>(held.begin(), held.end())) {
    remove(node, image);
  }
}

void ImageHolders::count(NodeId node, const HeldImage& image, int by) {
  for (const ImageId id : ids_of(image)) {
    if (id.value != 0) count(node, id, by);
  }
}

void ImageHolders::count(NodeId node, ImageId id, int by) {
  Nodes& holders = by_id_[id];
  const auto at = std::lower_bound(holders.nodes.begin(), holders.nodes.end(), node);
  const auto index = at - holders.nodes.begin();
  if (at == holders.nodes.end() || *at != node) {
    holders.nodes.insert(at, node);
    holders.counts.insert(holders.counts.begin() + index, 0);
  }
  std::uint32_t& times = holders.counts[static_cast<std::size_t>(index)];
  times = static_cast<std::uint32_t>(static_cast<int>(times) + by);
  if (times > 0) return;
  holders.nodes.erase(holders.nodes.begin() + index);
  holders.counts.erase(holders.counts.begin() + index);
  if (holders.nodes.empty()) by_id_.erase(id);
}

std::span<const NodeId> ImageHolders::of(ImageId id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return {};
  return found->second.nodes;
}

bool ImageHolders::holds(NodeId node, ImageId id) const {
  const std::span<const NodeId> nodes = of(id);
  return std::binary_search(nodes.begin(), nodes.end(), node);
}

std::span<const HeldImage> ImageHolders::images(NodeId node) const {
  const auto known = by_node_.find(node);
  if (known == by_node_.end()) return {};
  return known->second;
}

std::vector<ImageHolding> ImageHolders::state() const {
  std::map<HeldImage, std::vector<NodeId>> by_image;
  for (const auto& [node, images] : by_node_) {
    for (const HeldImage& image : images) by_image[image].push_back(node);
  }
  std::vector<ImageHolding> all;
  all.reserve(by_image.size());
  for (auto& [image, nodes] : by_image) all.push_back({image, std::move(nodes)});
  return all;
}

}  // namespace gyre
