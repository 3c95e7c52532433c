#pragma once

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace penumbra {

/// A directory of PEM files that goes away with it.
class Directory {
  public:
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "penumbra-tls-XXXXXX").string();
        EXPECT_NE(mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    std::filesystem::path write(const std::string& name, const std::string& text) const {
        // By rename, as everybody should who replaces a certificate.
        std::ofstream(path_ / (name + ".new")) << text;
        std::filesystem::rename(path_ / (name + ".new"), path_ / name);
        return path_ / name;
    }

  private:
    std::filesystem::path path_;
};

/// A key and its certificate, signed by itself or by another; P-256, so that hundreds of them cost nothing.
class Identity {
  public:
    struct Wishes {
        std::string name = "test";
        std::string alternatives{};  ///< "DNS:db.example,IP:127.0.0.1"
        bool is_ca = false;
        std::int64_t valid_from = -3600;  ///< seconds from now
        std::int64_t valid_to = 3600 * 24 * 365;
    };
    explicit Identity(const Wishes& wishes, const Identity* signer = nullptr)
        : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
        auto* x = certificate_.get();
        static long serial = 1;
        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
        X509_gmtime_adj(X509_getm_notBefore(x), wishes.valid_from);
        X509_gmtime_adj(X509_getm_notAfter(x), wishes.valid_to);
        X509_set_pubkey(x, key_.get());
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(wishes.name.c_str()), -1, -1, 0);
        const auto& issuer = signer ? *signer : *this;
        X509_set_issuer_name(x, X509_get_subject_name(issuer.certificate_.get()));
        if (wishes.is_ca) add(NID_basic_constraints, "critical,CA:TRUE");
        if (!wishes.alternatives.empty()) add(NID_subject_alt_name, wishes.alternatives);
        EXPECT_GT(X509_sign(x, issuer.key_.get(), EVP_sha256()), 0);
    }

    std::string certificate() const {
        return pem([&](BIO* out) { PEM_write_bio_X509(out, certificate_.get()); });
    }
    std::string key(const char* passphrase = nullptr) const {
        return pem([&](BIO* out) {
            PEM_write_bio_PKCS8PrivateKey(out, key_.get(), passphrase ? EVP_aes_128_cbc() : nullptr, passphrase,
                                          passphrase ? static_cast<int>(std::char_traits<char>::length(passphrase)) : 0,
                                          nullptr, nullptr);
        });
    }

  private:
    void add(int nid, const std::string& value) {
        auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
        EXPECT_NE(extension, nullptr);
        X509_add_ext(certificate_.get(), extension, -1);
        X509_EXTENSION_free(extension);
    }
    template <class Write>
    static std::string pem(Write write) {
        const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
        write(out.get());
        char* text = nullptr;
        const auto size = BIO_get_mem_data(out.get(), &text);
        return {text, static_cast<std::size_t>(size)};
    }

    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
    std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

}  // namespace penumbra
