#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "domain/image_holders.h"

namespace gyre::oci {

/// Which images a store has whole, kept in a file from one life to the next. Bounded by
/// kImagesPerNodeMax: the ones used longest ago are forgotten first. Thread-safe.
class HeldImages {
 public:
  /// A file that is damaged counts as none: it is written anew as images are used.
  explicit HeldImages(std::string file);

  /// The image was used just now, and its layers, folders of a LayerCache, are there.
  void used(const HeldImage& image, const std::vector<std::string>& layers);
  /// Some layers are gone: so are the images that need them.
  void layers_went();

  std::vector<HeldImage> list() const;  // the one used last in front
  std::uint64_t version() const { return version_; }

 private:
  struct Entry {
    HeldImage image;
    std::vector<std::string> layers;
  };
  void load();
  void drop_incomplete();
  void save() const;

  const std::string file_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  std::atomic<std::uint64_t> version_ = 1;
};

}  // namespace gyre::oci
