#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace gyre {

/// What jobs name when they ask for the same image: a hash. 0: none.
using ImageId = Id<struct ImageTag>;

/// FNV-1a, 64 bits, of a reference as parse_image_ref() reads it; 0 for an empty text. "latest" is
/// the tag where there is none, and what is pinned is known by its digest alone. O(bytes).
ImageId image_id(std::string_view reference);

/// An image that a node says it holds whole.
struct HeldImage {
  std::string reference;  // as it was asked for
  std::string digest;     // what that led to, "sha256:..."; empty: not told

  auto operator<=>(const HeldImage&) const = default;
};
inline constexpr std::size_t kImagesPerNodeMax = 128;
inline constexpr std::size_t kHeldReferenceMax = 512;  // bytes

/// Whether that is a reference and a digest, and no longer than is kept.
bool is_sane(const HeldImage& image);

/// What a job may name and get it: its name, and its digest where that is told, else 0.
std::array<ImageId, 2> ids_of(const HeldImage& image);

/// One image, and who holds it.
struct ImageHolding {
  HeldImage image;
  std::vector<NodeId> nodes;  // ascending
  bool operator==(const ImageHolding&) const = default;
};

/// An image that a node was asked to fetch before a job needs it.
struct ImageFetch {
  NodeId node;
  ImageId image;
  Time asked_at;
  bool operator==(const ImageFetch&) const = default;
};

/// Which nodes hold which images, as they say. A preference among equals rests on it, nothing else:
/// a node that lies is worse off, or not even that. Copyable. Not thread-safe.
class ImageHolders {
 public:
  bool empty() const { return by_node_.empty(); }

  /// What is over kImagesPerNodeMax is left out. Adding twice changes nothing, and so does removing
  /// what is not there. O(images of the node + nodes that hold it).
  void add(NodeId node, const HeldImage& image);
  void remove(NodeId node, const HeldImage& image);
  void forget(NodeId node);

  /// Nodes that hold what a job names so, ascending.
  std::span<const NodeId> of(ImageId id) const;
  bool holds(NodeId node, ImageId id) const;

  /// In the order of their references. Valid until the next change.
  std::span<const HeldImage> images(NodeId node) const;

  /// By image. O(all that nodes hold * log images).
  std::vector<ImageHolding> state() const;

 private:
  struct Nodes {
    std::vector<NodeId> nodes;          // ascending
    std::vector<std::uint32_t> counts;  // of its images that are meant by the id
  };
  void count(NodeId node, const HeldImage& image, int by);
  void count(NodeId node, ImageId id, int by);

  std::map<NodeId, std::vector<HeldImage>> by_node_;  // each ascending
  std::unordered_map<ImageId, Nodes> by_id_;          // looked up, never walked
};

}  // namespace gyre
