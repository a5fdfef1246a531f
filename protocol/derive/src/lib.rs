//! The derives that turn annotated structs into Kafka messages: codec, `Default` and schema.
//!
//! What the attributes mean stands in `klamm_protocol::message`. `declaration` reads a struct, `codec` writes
//! its reading and writing, `schema` what describes it.

mod codec;
mod declaration;
mod schema;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

use declaration::Declaration;

/// A whole message: `#[message(kind = "request", key = 0, versions = "0-13", flexible = "9+")]`.
#[proc_macro_derive(Message, attributes(message, field))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let output = Declaration::of_message(&input).map(|(declaration, head)| {
        let body = expand(&declaration);
        let message = schema::message(&declaration, &head);
        quote!(#body #message)
    });
    output.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// A part of a message.
#[proc_macro_derive(Struct, attributes(field))]
pub fn derive_struct(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let output = Declaration::of_struct(&input).map(|declaration| expand(&declaration));
    output.unwrap_or_else(syn::Error::into_compile_error).into()
}

fn expand(declaration: &Declaration) -> proc_macro2::TokenStream {
    let name = &declaration.name;
    let schema = schema::structure(declaration);
    let (decode, encode, default) = (
        codec::decode(declaration),
        codec::encode(declaration),
        codec::default(declaration),
    );
    // Inlined, a struct is made where it is to lie, instead of being handed up level by level: that halves the time of
    // decoding. Most structs stand in one place, so nothing gets larger.
    quote! {
        impl ::core::default::Default for #name {
            fn default() -> Self {
                #default
            }
        }

        impl ::klamm_protocol::Struct for #name {
            const SCHEMA: &'static ::klamm_protocol::StructSchema = #schema;

            #[inline]
            fn decode(
                input: &mut ::klamm_protocol::Decoder,
                version: i16,
                flexible: bool,
            ) -> ::core::result::Result<Self, ::klamm_protocol::DecodeError> {
                let _ = version;
                #decode
            }

            #[inline]
            fn encode(
                &self,
                out: &mut ::klamm_protocol::Encoder,
                version: i16,
                flexible: bool,
            ) -> ::core::result::Result<(), ::klamm_protocol::EncodeError> {
                let _ = version;
                #encode
            }
        }
    }
}
